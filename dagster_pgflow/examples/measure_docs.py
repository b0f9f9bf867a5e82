"""The handlers of flow `measure_docs`, which `measure_docs.yaml` defines."""

import os
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel

from dagster_pgflow import NonRetryable, StepContext, handler
from dagster_pgflow.examples import markdown
from dagster_pgflow.examples.docs_report import DocsReport, Measured, write_report

REPORT_ENDING = "-report.md"
SKIPPED_FOLDERS = frozenset({"node_modules", "site-packages", "__pycache__"})


class Request(BaseModel):
    """The flow's input."""

    folder: str
    report: str | None = None


class Found(BaseModel):
    """One Markdown file, and the folder that the user named."""

    folder: str
    file: str


class Measurements(BaseModel):
    """What `report` receives."""

    measure: list[Measured]


@handler("measure_docs.list_files")
def list_files(wanted: Request) -> list[Found]:
    """Find the Markdown files below the folder, hidden and installed ones left out."""
    folder = Path(wanted.folder).expanduser().resolve()
    if not folder.is_dir():
        raise NonRetryable(f"There is no folder {folder} on the machine that runs this flow.")
    report_file = _report_path(wanted)
    return [
        Found(folder=str(folder), file=path.relative_to(folder).as_posix())
        for path in sorted(_markdown_files(folder))
        if path != report_file
    ]


@handler("measure_docs.measure")
def measure(found: Found) -> Measured:
    """Measure one file, and see where its links lead."""
    path = Path(found.folder, found.file)
    measures = markdown.measure(path.read_text(encoding="utf-8-sig", errors="replace"))
    return Measured(
        file=found.file,
        words=measures.words,
        lines=measures.lines,
        headings=measures.headings,
        code_blocks=measures.code_blocks,
        reading_minutes=round(measures.words / markdown.WORDS_A_MINUTE, 1),
        links=len(measures.links),
        broken_links=[
            {"line": link.line, "target": link.target}
            for link in measures.links
            if not _exists(path.parent / link.path)
        ],
    )


@handler("measure_docs.report")
def report(measured: Measurements, ctx: StepContext) -> DocsReport:
    """Write the report, and return what it comes to."""
    wanted = Request.model_validate(ctx.flow_input)
    folder, path = Path(wanted.folder).expanduser().resolve(), _report_path(wanted)
    try:
        summary = write_report(folder, measured.measure, path)
    except OSError as error:
        raise NonRetryable(
            f"The report cannot be written to {path} ({error.strerror}); say in the input where it"
            f' shall go: "report".'
        ) from error
    ctx.log.info("The report is in %s.", summary.report)
    return summary


def _report_path(wanted: Request) -> Path:
    """Return where the report goes: beside the folder, so that measuring it leaves it as it is."""
    folder = Path(wanted.folder).expanduser().resolve()
    if wanted.report is None:
        return folder.parent / f"{folder.name or 'docs'}{REPORT_ENDING}"
    return folder.joinpath(Path(wanted.report).expanduser()).resolve()


def _markdown_files(folder: Path) -> Iterator[Path]:
    for place, folders, files in os.walk(folder):
        folders[:] = [
            name
            for name in folders
            if not name.startswith(".")
            and name not in SKIPPED_FOLDERS
            and not Path(place, name, "pyvenv.cfg").exists()
        ]
        yield from (
            Path(place, name) for name in files if name.lower().endswith((".md", ".markdown"))
        )


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):
        return False  # a name that no file can have leads nowhere

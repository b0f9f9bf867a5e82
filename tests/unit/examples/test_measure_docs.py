"""The handlers that measure the Markdown files of a folder."""

import logging
from pathlib import Path

import pytest

from dagster_pgflow.examples import measure_docs
from dagster_pgflow.examples.docs_report import DocsReport
from dagster_pgflow.runtime.context import StepContext
from dagster_pgflow.step_errors import NonRetryable


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    docs = tmp_path / "docs"
    (docs / "deep").mkdir(parents=True)
    (docs / ".git").mkdir()
    (docs / "node_modules").mkdir()
    (docs / "README.md").write_text("# Read me\n\nSee [one](deep/one.md) and [two](two.md).\n")
    (docs / "deep" / "one.md").write_text("Back [home](../README.md).\n" + "word " * 450)
    (docs / "notes.txt").write_text("no Markdown")
    (docs / ".git" / "hidden.md").write_text("hidden")
    (docs / "node_modules" / "installed.md").write_text("installed")
    return docs


def step_context(flow_input: object) -> StepContext:
    return StepContext(
        flow_input=flow_input,
        run_id="00000000-0000-0000-0000-000000000000",
        flow_slug="measure_docs",
        step_slug="report",
        step_path="report",
        task_index=0,
        task_path="report",
        attempt=1,
        idempotency_key="",
        params={},
        log=logging.getLogger("test"),
        resources=None,
    )


def run(folder: Path, report: str | None = None) -> DocsReport:
    """Call the handlers as the flow does."""
    wanted = measure_docs.Request(folder=str(folder), report=report)
    measured = [measure_docs.measure(found) for found in measure_docs.list_files(wanted)]
    context = step_context(wanted.model_dump())
    result: DocsReport = measure_docs.report(measure_docs.Measurements(measure=measured), context)
    return result


def test_visible_markdown_files_are_listed_in_order(folder: Path) -> None:
    found = measure_docs.list_files(measure_docs.Request(folder=str(folder)))
    assert [one.file for one in found] == ["README.md", "deep/one.md"]


def test_a_folder_that_does_not_exist_is_not_tried_again(tmp_path: Path) -> None:
    with pytest.raises(NonRetryable, match="There is no folder"):
        measure_docs.list_files(measure_docs.Request(folder=str(tmp_path / "none")))


def test_the_result_names_totals_and_broken_links(folder: Path) -> None:
    result = run(folder)
    assert result.totals.files == 2
    assert (result.totals.links, result.totals.broken_links) == (3, 1)
    assert result.broken_links == ["README.md:3 -> two.md"]


def test_the_report_is_markdown_beside_the_folder_which_stays_as_it_is(folder: Path) -> None:
    before = sorted(folder.rglob("*"))
    first = run(folder)
    assert sorted(folder.rglob("*")) == before
    assert first.report == str(folder.parent / "docs-report.md")
    text = Path(first.report).read_text()
    assert "- `README.md`, line 3: `two.md`" in text
    assert "| deep/one.md | 452 | 2 min |" in text
    assert run(folder).totals == first.totals


def test_a_report_inside_the_folder_is_not_measured_next_time(folder: Path) -> None:
    assert run(folder, "numbers.md").report == str(folder / "numbers.md")
    assert run(folder, "numbers.md").totals.files == 2


def test_a_report_that_cannot_be_written_is_not_tried_again(folder: Path) -> None:
    with pytest.raises(NonRetryable, match='say in the input where it shall go: "report"'):
        run(folder, "README.md/report.md")


def test_the_report_goes_where_the_user_says(folder: Path, tmp_path: Path) -> None:
    assert run(folder, str(tmp_path / "new" / "r.md")).report == str(tmp_path / "new" / "r.md")
    assert (tmp_path / "new" / "r.md").read_text().startswith("# The documents in docs")


def test_an_empty_folder_gives_an_empty_report(tmp_path: Path) -> None:
    result = run(tmp_path)
    assert result.totals.files == 0
    assert "0 files with 0 words" in Path(result.report).read_text()

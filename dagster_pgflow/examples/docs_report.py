"""The report of flow `measure_docs`: Markdown for people, numbers for programs."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from pydantic import BaseModel, Field

ROWS_SHOWN = 100


class BrokenLink(BaseModel):
    """A link that leads to no file."""

    line: int
    target: str


class Measured(BaseModel):
    """One file in numbers."""

    file: str
    words: int
    lines: int
    headings: int
    code_blocks: int
    reading_minutes: float
    links: int
    broken_links: list[BrokenLink] = Field(default_factory=list)


class Totals(BaseModel):
    """All files together."""

    files: int
    words: int
    lines: int
    headings: int
    code_blocks: int
    links: int
    broken_links: int
    reading_minutes: float


class DocsReport(BaseModel):
    """What the flow returns.

    Attributes:
        report: The path of the report.
        totals: All files together.
        broken_links: Such as `guide.md:12 -> setup.md`.
    """

    report: str
    totals: Totals
    broken_links: list[str]


def write_report(folder: Path, files: Sequence[Measured], path: Path) -> DocsReport:
    """Write the report about the files of a folder.

    Args:
        folder: The folder that was measured.
        path: Where the report goes; folders on the way are made.
    """
    totals = _totals(files)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(_text(folder, files, totals)) + "\n", encoding="utf-8")
    broken = [f"{f.file}:{link.line} -> {link.target}" for f in files for link in f.broken_links]
    return DocsReport(report=str(path), totals=totals, broken_links=broken)


def _totals(files: Sequence[Measured]) -> Totals:
    return Totals(
        files=len(files),
        words=sum(file.words for file in files),
        lines=sum(file.lines for file in files),
        headings=sum(file.headings for file in files),
        code_blocks=sum(file.code_blocks for file in files),
        links=sum(file.links for file in files),
        broken_links=sum(len(file.broken_links) for file in files),
        reading_minutes=round(sum(file.reading_minutes for file in files), 1),
    )


def _text(folder: Path, files: Sequence[Measured], totals: Totals) -> Iterator[str]:
    yield f"# The documents in {folder.name or folder}"
    yield ""
    yield (
        f"{_count(totals.files, 'file')} with {_count(totals.words, 'word')}, about"
        f" {_duration(totals.reading_minutes)} of reading, {_count(totals.headings, 'heading')} and"
        f" {_count(totals.code_blocks, 'code block')}. {_links_in_words(totals)}"
    )
    broken = [(file, link) for file in files for link in file.broken_links]
    if broken:
        yield ""
        yield "## Links that lead nowhere"
        yield ""
        yield from (f"- `{file.file}`, line {link.line}: `{link.target}`" for file, link in broken)
    if files:
        yield ""
        yield "## Files, the longest first"
        yield ""
        yield from _table(files)


def _links_in_words(totals: Totals) -> str:
    if not totals.links:
        return "No file links to another."
    if not totals.broken_links:
        return f"All {_count(totals.links, 'link')} between files lead somewhere."
    return f"Of {_count(totals.links, 'link')} between files {totals.broken_links:,} lead nowhere."


def _table(files: Sequence[Measured]) -> Iterator[str]:
    yield "| File | Words | Reading time | Lines | Headings | Code blocks | Broken links |"
    yield "|---|---:|---:|---:|---:|---:|---:|"
    longest = sorted(files, key=lambda file: (-file.words, file.file))
    for file in longest[:ROWS_SHOWN]:
        cells = (
            file.file.replace("|", "\\|"),
            f"{file.words:,}",
            _duration(file.reading_minutes),
            f"{file.lines:,}",
            file.headings,
            file.code_blocks,
            len(file.broken_links) or "",
        )
        yield f"| {' | '.join(str(cell) for cell in cells)} |"
    if len(files) > ROWS_SHOWN:
        yield ""
        yield f"And {len(files) - ROWS_SHOWN:,} shorter ones."


def _duration(minutes: float) -> str:
    whole = max(1, round(minutes))
    return f"{whole} min" if whole < 60 else f"{whole // 60} h {whole % 60} min"


def _count(number: int, word: str) -> str:
    return f"{number:,} {word}" if number == 1 else f"{number:,} {word}s"

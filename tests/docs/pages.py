"""The pages of the documentation, and the code blocks in them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md")))

_FENCE = re.compile(r"^```(\w*) *(.*)$")
_FILE_NAME = re.compile(r"^(?:#|--|;;) ([\w./]+\.(?:py|sql|yaml|edn))$")


@dataclass(frozen=True)
class Block:
    """A fenced block.

    Attributes:
        page: The page that it is on.
        line: Where its first line stands.
        language: `sql`, `python`, `sh`, `text` ...
        note: What the fence says besides.
        text: What is in it.
    """

    page: Path
    line: int
    language: str
    note: str
    text: str

    @property
    def place(self) -> str:
        """Where to look when it is wrong."""
        return f"{name_of(self.page)}:{self.line}"

    @property
    def file_name(self) -> str | None:
        """The file that the reader is to save it as: its first line says so, or its fence."""
        if self.language == "json":
            return self.note or None
        found = _FILE_NAME.match(self.text.partition("\n")[0])
        return found and found[1]


def name_of(page: Path) -> str:
    """Returns the path of a page in the repository."""
    return page.relative_to(ROOT).as_posix()


def blocks_of(page: Path) -> Iterator[Block]:
    """Yields the fenced blocks of a page."""
    opened: tuple[int, str, str] | None = None
    lines: list[str] = []
    for number, line in enumerate(page.read_text().splitlines(), 1):
        fence = _FENCE.match(line)
        if opened is None and fence:
            opened, lines = (number + 1, fence[1], fence[2]), []
        elif opened is not None and line == "```":
            yield Block(page, *opened, text="\n".join(lines))
            opened = None
        elif opened is not None:
            lines.append(line)
    assert opened is None, f"{name_of(page)} has a block that does not end"


def prose_of(page: Path) -> str:
    """Returns a page without its fenced blocks."""
    return re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)

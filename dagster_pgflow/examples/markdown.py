"""Measures Markdown text: pure functions, no I/O."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from urllib.parse import unquote

WORDS_A_MINUTE = 200
"""How fast people read prose on a screen."""

_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})(.*)$")
_HEADING = re.compile(r"^ {0,3}#{1,6}(?:\s|$)")
_UNDERLINE = re.compile(r"^ {0,3}(?:=+|-{2,})\s*$")
_CODE_SPAN = re.compile(r"(`+)(?!`).*?(?<!`)\1(?!`)")
_TARGET = r"(?:<([^<>]*)>|((?:[^\s()\\]|\\.|\([^\s()]*\))+))"
_INLINE_LINK = re.compile(rf"\]\(\s*{_TARGET}(?:\s+(?:\"[^\"]*\"|'[^']*'|\([^()]*\)))?\s*\)")
_DEFINITION = re.compile(rf"^ {{0,3}}\[[^\]]+\]:\s*{_TARGET}")
_SCHEME = re.compile(r"^[a-zA-Z][a-zA-Z0-9+.-]*:")
_WORD = re.compile(r"\w[\w'\u2019-]*")


@dataclass(frozen=True)
class Link:
    """A link to a file.

    Attributes:
        line: The line that it is on, from 1.
        target: As it is written.
        path: The path that it means, relative to the folder of its file.
    """

    line: int
    target: str
    path: str


@dataclass(frozen=True)
class Measures:
    """What there is in one Markdown text; words are those that a reader sees as prose."""

    words: int
    lines: int
    headings: int
    code_blocks: int
    links: tuple[Link, ...]


def measure(text: str) -> Measures:
    r"""Count what a Markdown text consists of.

    >>> measure("# Title\n\nSee [the guide](guide.md#start).\n").links[0].path
    'guide.md'
    """
    lines = _without_front_matter(text.splitlines())
    prose = list(_prose(lines))
    return Measures(
        words=sum(len(_WORD.findall(_as_read(line))) for _, line in prose),
        lines=len(lines),
        headings=_count_headings(prose),
        code_blocks=_count_code_blocks(lines),
        links=tuple(link for number, line in prose for link in _links(number, line)),
    )


def _without_front_matter(lines: list[str]) -> list[str]:
    """Blank the metadata that site generators keep at the top, between two lines of `---`."""
    if lines and lines[0].rstrip() == "---":
        for end, line in enumerate(lines[1:], 1):
            if line.rstrip() in ("---", "..."):
                return ["" for _ in lines[: end + 1]] + lines[end + 1 :]
    return lines


def _prose(lines: list[str]) -> Iterator[tuple[int, str]]:
    """Yield the lines outside of fenced code blocks, with their numbers."""
    for number, line, fence in _with_fences(lines):
        if fence is None:
            yield number, line


def _count_code_blocks(lines: list[str]) -> int:
    return len({fence for _, _, fence in _with_fences(lines) if fence is not None})


def _with_fences(lines: list[str]) -> Iterator[tuple[int, str, int | None]]:
    """Yield each line with its number and that of the fence that opened the block around it."""
    opened: str | None = None
    at = 0
    for number, line in enumerate(lines, 1):
        found = _FENCE.match(line)
        if opened is None:
            # The info string of a fence of backticks has none: else it is a code span.
            if found and not (found[1][0] == "`" and "`" in found[2]):
                opened, at = found[1], number
            yield number, line, None if opened is None else at
            continue
        yield number, line, at
        if found and found[1].startswith(opened) and not found[2].strip():
            opened = None


def _count_headings(prose: list[tuple[int, str]]) -> int:
    marked = sum(1 for _, line in prose if _HEADING.match(line))
    underlined = sum(
        1
        for (above, title), (below, line) in pairwise(prose)
        if below == above + 1
        and _UNDERLINE.match(line)
        and title.strip()
        and not _HEADING.match(title)
        and not _UNDERLINE.match(title)
        and not title.lstrip().startswith((">", "|", "- ", "* ", "+ "))
    )
    return marked + underlined


def _as_read(line: str) -> str:
    """Return a line without the targets of its links, which no reader sees."""
    return _DEFINITION.sub("", _INLINE_LINK.sub("]", line))


def _links(number: int, line: str) -> Iterator[Link]:
    """Yield the links of a line that mean files below or beside this one."""
    without_code = _CODE_SPAN.sub("", line)
    found = [*_INLINE_LINK.finditer(without_code), *_DEFINITION.finditer(without_code)]
    for match in found:
        target = match[1] if match[1] is not None else match[2]
        path = unquote(re.split(r"[?#]", target, maxsplit=1)[0])
        # A leading slash means the root of a site, which no folder on disk has to be.
        if path and not _SCHEME.match(target) and not path.startswith("/"):
            yield Link(number, target, path)

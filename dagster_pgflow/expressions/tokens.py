"""The pieces of a text in CEL, for what is done to one before the library sees it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_TOKEN: Final = re.compile(
    r"""
    (?P<blank>\s+|//[^\n]*)
    |(?P<text>
        (?:[rR][bB]?|[bB][rR])(?:\"{3}.*?\"{3}|'{3}.*?'{3}|"[^"\n]*"|'[^'\n]*')
        |[bB]?(?:\"{3}(?:[^\\]|\\.)*?\"{3}|'{3}(?:[^\\]|\\.)*?'{3}
            |"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')
    )
    |(?P<name>[A-Za-z_]\w*|`[^`\n]*`)
    |(?P<number>\d+(?:\.\d+)?\w*)
    |(?P<sign>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_PLAIN_TEXT: Final = re.compile(r"[rR]?(?P<quote>\"{3}|'{3}|\"|')(?P<content>[^\\]*)(?P=quote)")


@dataclass(frozen=True)
class Token:
    """A piece of an expression.

    Attributes:
        kind: `text`, `name`, `number`, `sign`, or `blank` for spaces and comments.
        text: As it is written.
        start: Where it begins.
    """

    kind: str
    text: str
    start: int

    @property
    def end(self) -> int:
        """Where what follows begins."""
        return self.start + len(self.text)

    @property
    def step(self) -> str:
        """The step that it names, where it stands in the place of one."""
        if self.kind == "name":
            return self.text.strip("`")
        plain = _PLAIN_TEXT.fullmatch(self.text)
        return plain["content"] if plain else ""


def tokens_of(text: str) -> Iterator[Token]:
    """Yield all pieces of an expression, which together are its text."""
    for found in _TOKEN.finditer(text):
        yield Token(str(found.lastgroup), found[0], found.start())

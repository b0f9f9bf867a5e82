r"""Finds secrets in texts in whatever way they are spelled there.

A service may spell `/` as `\/`, `%2F`, `&#47;` or `\u002f`, and any of its characters, or only
some. So it is not the secret that is spelled in all ways; the text is read in all ways, and the
secret is looked for in each. Once more for what is spelled on top of another spelling, such as JSON
in JSON. In Base64, where it may stand behind other bytes as in `user:password`, and in hexadecimal
digits it is looked for as such.
"""

import html
import re
from base64 import b64encode, urlsafe_b64encode
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from typing import Final

LEAST_OF_BASE64: Final = 6
"""Fewer characters of Base64 than these stand in many a text by chance."""

MOST_ON_TOP: Final = 2
"""How many spellings on top of each other are read."""

_NOTHING: Final = r"(?!)"

Span = tuple[int, int]


class Spellings:
    """Some secrets, as they are to be looked for.

    Args:
        secrets: The secrets.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        wanted = {way for secret in secrets if secret for way in _as_is_or_packed(secret)}
        longest_first = sorted(wanted, key=len, reverse=True)
        found = "|".join(re.escape(way) for way in longest_first)
        self._pattern = re.compile(found or _NOTHING, re.IGNORECASE)

    def hidden_in(self, text: str, instead: str) -> str:
        """Return a text with something else in place of each secret.

        Args:
            text: The text.
            instead: What stands in their places.
        """
        parts: list[str] = []
        shown = 0
        for begins, ends in sorted(self._spans(text, MOST_ON_TOP)):
            if ends > shown:
                # Where two of them overlap, one sign stands for both.
                parts += [text[shown:begins], instead] if begins >= shown else []
                shown = ends
        return "".join([*parts, text[shown:]]) if parts else text

    def _spans(self, text: str, depth: int) -> Iterator[Span]:
        yield from (found.span() for found in self._pattern.finditer(text))
        if depth == 0:
            return
        for spelling in _SPELLINGS:
            read = _Read(text, *spelling)
            if read.text != text:
                for begins, ends in self._spans(read.text, depth - 1):
                    yield read.origin(begins), read.origin(ends)


class _Read:
    """A text as it reads when one spelling is undone.

    Args:
        text: The text as it is spelled.
        pattern: What finds a character that is spelled.
        character: Returns the character.
    """

    def __init__(
        self, text: str, pattern: re.Pattern[str], character: Callable[[str], str]
    ) -> None:
        parts: list[str] = []
        self._here, self._there = [0], [0]
        length = read_until = 0
        for found in pattern.finditer(text):
            one = character(found[0])
            if len(one) != 1:
                continue
            parts += [text[read_until : found.start()], one]
            length += found.start() - read_until + 1
            read_until = found.end()
            self._here += [length - 1, length]
            self._there += [found.start(), read_until]
        self.text = "".join([*parts, text[read_until:]]) if parts else text

    def origin(self, position: int) -> int:
        """Return where in the spelled text a position of the read one is."""
        nearest = bisect_right(self._here, position) - 1
        return self._there[nearest] + position - self._here[nearest]


def _as_is_or_packed(secret: str) -> Iterator[str]:
    yield secret
    yield secret.replace(" ", "+")
    raw = secret.encode(errors="surrogateescape")
    yield raw.hex()
    for offset, cut in enumerate((0, 2, 3)):
        # Only that is looked for which does not depend on the bytes around.
        whole = (offset + len(raw)) * 8 // 6
        for packed in (b64encode(bytes(offset) + raw), urlsafe_b64encode(bytes(offset) + raw)):
            if whole - cut >= LEAST_OF_BASE64:
                yield packed[cut:whole].decode()


def _utf8(prefix: str) -> str:
    """Return what finds one character of UTF-8 whose bytes are written in hexadecimal digits."""
    follows = rf"{prefix}[89ab][0-9a-f]"
    return (
        rf"{prefix}[cd][0-9a-f]{follows}|{prefix}e[0-9a-f](?:{follows}){{2}}"
        rf"|{prefix}f[0-7](?:{follows}){{3}}|{prefix}[0-9a-f]{{2}}"
    )


_BYTES: Final = re.compile(r"[%x]([0-9a-f]{2})", re.IGNORECASE)


def _of_bytes(spelled: str) -> str:
    raw = bytes.fromhex("".join(_BYTES.findall(spelled)))
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _behind_a_backslash(spelled: str) -> str:
    match spelled[1]:
        case "x" if len(spelled) > 2:
            return _of_bytes(spelled)
        case "u" if len(spelled) > 6:
            units = bytes.fromhex(spelled.replace("\\u", "").replace("\\U", ""))
            return units.decode("utf-16-be", errors="replace")
        case "u" | "U" if len(spelled) > 2:
            return _numbered(spelled[2:])
        case letter:
            return _LETTERS.get(letter, letter)


def _numbered(digits: str) -> str:
    number = int(digits, 16)
    return chr(number) if number < 0x110000 else ""


_LETTERS: Final = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}

_SPELLINGS: Final[tuple[tuple[re.Pattern[str], Callable[[str], str]], ...]] = (
    (
        re.compile(
            r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}"
            r"|\\U[0-9a-fA-F]{8}|(?i:" + _utf8(r"\\x") + r")|\\[\s\S]"
        ),
        _behind_a_backslash,
    ),
    (re.compile(_utf8("%"), re.IGNORECASE), _of_bytes),
    (re.compile(r"&(?:#[0-9]{1,20}|#[xX][0-9a-fA-F]{1,20}|[A-Za-z0-9]{1,32});?"), html.unescape),
)

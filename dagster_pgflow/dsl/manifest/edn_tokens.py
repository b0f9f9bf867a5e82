"""The tokens of an EDN text, as the lexer of `edn_format` finds them, with the forms they are."""

import math
import re
from bisect import bisect_right
from collections.abc import Callable, Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

import edn_format.edn_lex as library_lexer
import ply.lex
from edn_format.char import Char
from edn_format.exceptions import EDNDecodeError

from dagster_pgflow.dsl.manifest.forms import (
    At,
    Atom,
    Form,
    Keyword,
    Symbol,
)
from dagster_pgflow.dsl.reading.bounds import (
    refuse_levels,
    refuse_number,
    refuse_text,
    refuse_values,
    values_in,
)
from dagster_pgflow.dsl.reading.unreadable import Unreadable

_OPENING: Final = {"VECTOR_START": "[", "LIST_START": "(", "MAP_START": "{", "SET_START": "#{"}
_CLOSING: Final = {"VECTOR_END": "]", "LIST_END": ")", "MAP_OR_SET_END": "}"}
_CLOSED_BY: Final = {
    "VECTOR_START": "VECTOR_END",
    "LIST_START": "LIST_END",
    "MAP_START": "MAP_OR_SET_END",
    "SET_START": "MAP_OR_SET_END",
}
_NUMBERS: Final = ("INTEGER", "HEX_INTEGER", "FLOAT", "RATIO", "SYMBOLIC_VALUE")
_WORDS: Final = (*_NUMBERS, "CHAR", "WHITESPACE", "KEYWORD", "SYMBOL")
_PREFIXES: Final = ("TAG", "DISCARD_TAG", "MAP_NAMESPACE_TAG", "CARET")
_NUMBER: Final = re.compile(r"[+-]?\d[\w.+/-]*")
_ESCAPES: Final = re.compile(r'\\(?:[tnrbf"\\]|u[0-9A-Fa-f]{4})|(?P<unknown>\\)')
_WORD: Final = re.compile(r"[^\s,;()\[\]{}\"]+")
_SHOWN: Final = 20


class EdnTokens:
    """The tokens of a text, looked at before the grammar sees them.

    Each has its form, or what is open, as its value; what is open is counted.
    """

    def __init__(self, text: str, file: str = "") -> None:
        self._text = text
        self._file = file
        self._lines = [0, *(found.end() for found in re.finditer("\n", text))]
        self._tokens = self._looked_at()
        self._last: Any = None
        self._open: list[Any] = []
        self._is_over = False

    def token(self) -> Any:
        """Return the next token, or nothing at the end."""
        token = next(self._tokens, None)
        self._is_over = token is None
        return token

    def at(self, offset: int) -> At:
        """Return the place of a character."""
        line = bisect_right(self._lines, offset)
        return At(line, offset - self._lines[line - 1] + 1, self._file)

    def refused(self, offset: int, message: str) -> Unreadable:
        """Return why the text cannot be read."""
        return Unreadable(str(self.at(offset)), message)

    def unexpected(self) -> Unreadable:
        """Return why the grammar does not take what came last."""
        if not self._is_over and self._last is not None:
            word = self._text[self._last.lexpos : self._last.lexpos + 1]
            why = f"`{word}` cannot stand here; something is missing before it"
            return self.refused(self._last.lexpos, f"This is not EDN: {why}.")
        end = self._last.lexpos if self._last is not None else 0
        return self.refused(end, "This is not EDN: something is missing behind this.")

    def _looked_at(self) -> Iterator[Any]:
        count = 0
        ends = -1
        for token in self._raw():
            count += values_in(token.value)
            self._placed(token.lexpos, refuse_values, count)
            if token.type in _WORDS and ends == token.lexpos:
                word = _WORD.match(self._text, self._last.lexpos)
                name = word[0] if word else ""
                message = f"This is not EDN: `{name[:_SHOWN]}` is no number and no name."
                raise self.refused(self._last.lexpos, message)
            ends = token.lexend if token.type in _WORDS else -1
            self._last = token
            self._follow(token)
            yield token
        if self._open:
            opened = self._open[-1]
            closing = _CLOSING[_CLOSED_BY[opened.type]]
            message = f"`{_OPENING[opened.type]}` is never closed; add `{closing}`."
            raise self.refused(opened.lexpos, f"This is not EDN: {message}")

    def _raw(self) -> Iterator[Any]:
        """Yield the library's tokens, and where each ends."""
        lexer = ply.lex.lex(module=library_lexer, reflags=re.UNICODE)
        lexer.input(self._text)
        while True:
            try:
                token = lexer.token()
            except EDNDecodeError:
                raise self._illegal(lexer.lexpos) from None
            except (ValueError, ArithmeticError):
                raise self._unread(lexer.lexmatch.start()) from None
            if token is None:
                return
            token.lexend = lexer.lexpos
            yield token

    def _illegal(self, offset: int) -> Unreadable:
        begin = self._text[offset : offset + 2]
        if begin[:1] == '"':
            why = 'a text begins here and has no end; add `"`, or double a lone `\\`'
        elif begin in ("#?", "#(", "#'", '#"'):
            why = f"`{begin}` is Clojure, which a manifest is not; write plain data"
        else:
            why = f"`{begin[:1]}` cannot stand here"
        return self.refused(offset, f"This is not EDN: {why}.")

    def _unread(self, offset: int) -> Unreadable:
        """Return why the library could make no value of a number or a text."""
        number = _NUMBER.match(self._text, offset)
        if number is not None:
            self._placed(offset, refuse_number, number[0])
            return self.refused(offset, f"`{number[0][:_SHOWN]}` is no number; write another.")
        return self._escape_refused(offset)

    def _escape_refused(self, offset: int) -> Unreadable:
        message = "The text has an escape that EDN does not know; write `\\\\` for a backslash."
        return self.refused(offset, message)

    def _placed(self, offset: int, look: Callable[[Any], None], value: Any) -> None:
        try:
            look(value)
        except Unreadable as reason:
            raise self.refused(offset, str(reason)) from None

    def _follow(self, token: Any) -> None:
        """Count what is open, and give a token its form."""
        if token.type in _OPENING:
            self._open.append(token)
            self._placed(token.lexpos, refuse_levels, len(self._open))
        elif token.type in _CLOSING:
            if not self._open or _CLOSED_BY[self._open[-1].type] != token.type:
                raise self._closed_wrongly(token)
            self._open.pop()
        elif token.type not in _PREFIXES:
            token.value = self._leaf(token)
            return
        token.value = (self, token.lexpos, token.value)

    def _closed_wrongly(self, token: Any) -> Unreadable:
        closing = _CLOSING[token.type]
        if not self._open:
            why = f"`{closing}` closes nothing; remove it"
        else:
            opened = self._open[-1]
            wanted = _CLOSING[_CLOSED_BY[opened.type]]
            place = self.at(opened.lexpos)
            why = (
                f"`{closing}` cannot close the `{_OPENING[opened.type]}` of {place}; write"
                f" `{wanted}`"
            )
        return self.refused(token.lexpos, f"This is not EDN: {why}.")

    def _leaf(self, token: Any) -> Form:
        at = self.at(token.lexpos)
        match token.value:
            case library_lexer.Keyword(name=name):
                if name.startswith(":"):
                    message = f"`:{name}` is Clojure; write the whole name behind one colon."
                    raise self.refused(token.lexpos, message)
                return Keyword(name, at)
            case library_lexer.Symbol(name=name):
                return Symbol(name, at)
            case Char():
                raise self.refused(token.lexpos, "A manifest has no characters; write a text.")
            case str(text):
                written = self._text[token.lexpos : token.lexend]
                if any(found["unknown"] for found in _ESCAPES.finditer(written)):
                    raise self._escape_refused(token.lexpos)
                text = _whole_characters(text)
                self._placed(token.lexpos, refuse_text, text)
                return Atom(text, at)
            case None | bool():
                return Atom(token.value, at)
            case number:
                word = self._text[token.lexpos : token.lexend]
                self._placed(token.lexpos, refuse_number, word)
                return Atom(self._number(number, token.lexpos), at)

    def _number(self, number: Any, offset: int) -> int | float:
        if isinstance(number, Fraction):
            raise self.refused(offset, f"{number} is a ratio; write it with a decimal point.")
        value = float(number) if isinstance(number, Decimal) else number
        if isinstance(value, float) and not math.isfinite(value):
            raise self.refused(offset, "This is no number that JSON has; write another.")
        return value


def _whole_characters(text: str) -> str:
    """Return a text in which two escapes that are one character together are that character."""
    if not any("\ud800" <= character <= "\udfff" for character in text):
        return text
    try:
        return text.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError:
        return text

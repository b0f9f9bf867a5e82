"""Pieces of CEL with Clojure's answers: what a predicate is put together of.

Clojure looks up a key in whatever there is and gets nil where there is none, and takes everything
for true but nil and false. CEL fails at a key that is missing, and asks for true or false. So each
piece here knows two texts: its value, `null` where there is none, and whether that value holds.
Neither fails, whatever the data is, except where Clojure throws.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final, TypeAlias

from dagster_pgflow.expressions.cel import DATA_ROOT

_PLAIN_KEY: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_RESERVED: Final = re.compile(
    "as|break|const|continue|else|false|for|function|if|import|in|let|loop|namespace|null|package|"
    "return|true|var|void|while"
)


@dataclass(frozen=True)
class Constant:
    """A value that is written down.

    Attributes:
        value: JSON.
    """

    value: Any

    @property
    def text(self) -> str:
        """Its value."""
        return _literal(self.value)

    @property
    def truth(self) -> str:
        """Whether it holds."""
        return "false" if self.value is None or self.value is False else "true"


@dataclass(frozen=True)
class Lookup:
    """What stands at a path in the data map.

    Attributes:
        keys: The path: keys, and places in lists. None: the map itself.
    """

    keys: tuple[str | int, ...] = ()

    @property
    def bare(self) -> str:
        """Its value where there is one; else this fails."""
        return _path(self.keys)

    @property
    def guard(self) -> str:
        """Whether there is something at the path."""
        return " && ".join(
            part
            for depth, key in enumerate(self.keys)
            for part in _is_there(_path(self.keys[:depth]), key, is_object=depth == 0)
        )

    @property
    def text(self) -> str:
        """Its value."""
        return f"({self.guard} ? {self.bare} : null)" if self.keys else self.bare

    @property
    def truth(self) -> str:
        """Whether it holds."""
        if not self.keys:
            return "true"
        return f"({self.guard} && !({self.bare} in [null, false]))"


@dataclass(frozen=True)
class Answer:
    """What is true or false.

    Attributes:
        text: A piece that needs no brackets.
    """

    text: str

    @property
    def truth(self) -> str:
        """Whether it holds."""
        return self.text


@dataclass(frozen=True)
class Choice:
    """The first of several values that holds, or that does not; else the last one.

    Attributes:
        terms: The values, at least one.
        holds: Whether the one is looked for that holds: `or`, in place of `and`.
    """

    terms: tuple["Term", ...]
    holds: bool

    @property
    def text(self) -> str:
        """Its value."""
        text = _any(self.terms[-1])
        for term in reversed(self.terms[:-1]):
            one, other = (_any(term), text) if self.holds else (text, _any(term))
            text = f"({term.truth} ? {one} : {other})"
        return text

    @property
    def truth(self) -> str:
        """Whether it holds."""
        truths = [term.truth for term in self.terms]
        return some(truths) if self.holds else every(truths)


@dataclass(frozen=True)
class Computed:
    """Any other value.

    Attributes:
        text: A piece that needs no brackets.
    """

    text: str

    @property
    def truth(self) -> str:
        """Whether it holds."""
        return f"!({self.text} in [null, false])"


Term: TypeAlias = Constant | Lookup | Answer | Choice | Computed


def with_default(found: Lookup, default: Term) -> Term:
    """Return what stands at a path, or something else where nothing does; null is something."""
    if not found.keys:
        return found
    return Computed(f"({found.guard} ? {found.bare} : {_any(default)})")


def equal(left: Term, right: Term) -> str:
    """Return whether two values are equal; numbers are by their value, as in JSON."""
    match left, right:
        case Constant(), Lookup(keys=(_, *_)):
            return equal(right, left)
        case Lookup(keys=(_, *_)), Constant(value=None):
            return negated(is_something(left))
        case Lookup(keys=(_, *_)), Constant():
            return f"({left.guard} && {left.bare} == {right.text})"
        case Constant(), Constant():
            return "true" if same_json(left.value, right.value) else "false"
        case _:
            return f"({_any(left)} == {_any(right)})"


def is_something(term: Term) -> str:
    """Return whether a value is not null."""
    match term:
        case Lookup(keys=(_, *_)):
            return f"({term.guard} && {term.bare} != null)"
        case Constant():
            return "false" if term.value is None else "true"
        case Lookup() | Answer():
            return "true"
        case Choice() | Computed():
            return f"({term.text} != null)"


def holds_something(term: Term) -> str:
    """Return whether there is something in a text, a list or an object; null has nothing in it."""
    match term:
        case Lookup(keys=(_, *_)):
            return f"({term.guard} && {term.bare} != null && {term.bare}.size() > 0)"
        case _:
            return f"({_any(term)} != null && {_any(term)}.size() > 0)"


def ordered(sign: str, terms: Sequence[Term]) -> str:
    """Return whether each number stands to the next one as a sign says; all else fails."""
    pairs = [f"{_failing(left)} {sign} {_failing(right)}" for left, right in pairwise(terms)]
    if not pairs:
        return "true"
    all_hold = f"({' && '.join(pairs)})"
    if any(isinstance(term, Constant) for term in terms):
        return all_hold
    # CEL would put texts in order, too: one of them has to be held to being a number.
    first = _failing(terms[0])
    return f"({first} > 0 || {first} <= 0 ? {all_hold} : false)"


def is_one_of(values: Sequence[Any], term: Term) -> str:
    """Return whether a value is one of several."""
    written = f"[{', '.join(_literal(value) for value in values)}]"
    if isinstance(term, Lookup) and term.keys and None not in values:
        return f"({term.guard} && {term.bare} in {written})"
    return f"({_any(term)} in {written})" if values else "false"


def has_key(term: Term, key: str) -> str:
    """Return whether an object has a key; a list and null have none, and all else fails."""
    if isinstance(term, Lookup):
        is_there = " && ".join(_is_there(term.bare, key, is_object=True))
        if not term.keys:
            return f"({is_there})"
        is_list = f"type({term.bare}) == list"
        return f"({term.guard} && {term.bare} != null && !({is_list}) && {is_there})"
    held = _any(term)
    return f"({held} != null && type({held}) != list && {_text(key)} in {held})"


def negated(truth: str) -> str:
    """Return the opposite of what is true or false."""
    opposites = {"true": "false", "false": "true"}
    return opposites.get(truth) or (truth[1:] if truth.startswith("!(") else f"!{truth}")


def every(truths: Sequence[str]) -> str:
    """Return whether all hold."""
    return _joined(" && ", truths, neutral="true")


def some(truths: Sequence[str]) -> str:
    """Return whether one of them holds."""
    return _joined(" || ", truths, neutral="false")


def same_json(left: Any, right: Any) -> bool:
    """Return whether two values are one JSON value, in which true is no number."""
    match left, right:
        case (bool(), _) | (_, bool()):
            return left is right
        case list(), list():
            return len(left) == len(right) and all(map(same_json, left, right))
        case dict(), dict():
            return left.keys() == right.keys() and all(
                same_json(value, right[key]) for key, value in left.items()
            )
        case _:
            return bool(left == right)


def is_list_of(found: Lookup, length: int) -> str:
    """Return whether a list of some length stands at a path."""
    return f"({found.guard} && type({found.bare}) == list && {found.bare}.size() == {length})"


def is_object(found: Lookup) -> str:
    """Return whether an object stands at a path."""
    return f"({found.guard} && type({found.bare}) == map)" if found.keys else "true"


def _joined(word: str, truths: Sequence[str], *, neutral: str) -> str:
    kept = [truth for truth in truths if truth != neutral]
    if not kept:
        return neutral
    return kept[0] if len(kept) == 1 else f"({word.join(kept)})"


def _is_there(outer: str, key: str | int, *, is_object: bool) -> tuple[str, ...]:
    if isinstance(key, int):
        return (f"type({outer}) == list", f"{outer}.size() > {key}")
    there = f"has({outer}.{key})" if _is_plain(key) else f"{_text(key)} in {outer}"
    return (there,) if is_object else (f"type({outer}) == map", there)


def _path(keys: Sequence[str | int]) -> str:
    return DATA_ROOT + "".join(
        f"[{key}]" if isinstance(key, int) else f".{key}" if _is_plain(key) else f"[{_text(key)}]"
        for key in keys
    )


def _is_plain(key: str) -> bool:
    return _PLAIN_KEY.fullmatch(key) is not None and not _RESERVED.fullmatch(key)


def _failing(term: Term) -> str:
    """Return a value that may fail where there is none: no number is null."""
    match term:
        case Lookup():
            return term.bare
        case Constant(value=int() | float()):
            return term.text
        case _:
            return _any(term)


def _any(term: Term) -> str:
    """Return a value of no type that CEL could find fault with before it has seen the data."""
    return f"dyn({term.text})" if isinstance(term, Constant | Answer) else term.text


def _literal(value: Any) -> str:
    match value:
        case str():
            return _text(value)
        case list():
            return f"[{', '.join(map(_literal, value))}]"
        case dict():
            pairs = (f"{_text(key)}: {_literal(inner)}" for key, inner in value.items())
            return f"{{{', '.join(pairs)}}}"
        case _:
            return json.dumps(value)


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)

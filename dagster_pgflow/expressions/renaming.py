"""Conditions in CEL whose steps get other names: a rewriting of text that needs no CEL library.

Only a name that stands where the name of a step can stand is touched: `deps.check`,
`input["check"]`, `"check" in deps`. Everything else stays as its author wrote it.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
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
_MACROS: Final = frozenset({"all", "exists", "exists_one", "filter", "map"})


@dataclass(frozen=True)
class _Token:
    """A piece of an expression.

    Attributes:
        kind: `text`, `name`, `number` or `sign`.
        text: As it is written.
        start: Where it begins.
    """

    kind: str
    text: str
    start: int

    @property
    def step(self) -> str:
        """The step that it names, where it stands in the place of one."""
        if self.kind == "name":
            return self.text.strip("`")
        plain = _PLAIN_TEXT.fullmatch(self.text)
        return plain["content"] if plain else ""


def renamed_condition(text: str, names: Mapping[str, str], roots: Collection[str]) -> str | None:
    """Return a condition in which steps have other names.

    Args:
        text: CEL.
        names: The new names by the old ones.
        roots: Where outputs of steps are found: `deps`, or `deps` and `input`.

    Returns:
        The condition, or `None` where its text does not tell which steps it asks for.

    >>> renamed_condition("deps.check.ok", {"check": "login_check"}, ["deps"])
    'deps.login_check.ok'
    """
    tokens = [token for token in _tokens(text) if token.kind != "blank"]
    named: list[_Token] = []
    looks_at_all = False
    for at, token in enumerate(tokens):
        if token.kind != "name" or token.step not in roots or _is_key(tokens, at):
            continue
        if _is_variable(tokens, at) or _computes_key(tokens, at):
            return None
        found = _step_at(tokens, at)
        named += [found] if found else []
        looks_at_all |= found is None
    other_texts = {token.step for token in tokens if token.kind == "text" and token not in named}
    if looks_at_all and other_texts & names.keys():
        return None
    return _with_steps(text, [token for token in named if token.step in names], names)


def _with_steps(text: str, named: Sequence[_Token], names: Mapping[str, str]) -> str:
    for token in sorted(named, key=lambda token: token.start, reverse=True):
        end = token.start + len(token.text)
        new = token.text.replace(token.step, names[token.step])
        text = f"{text[: token.start]}{new}{text[end:]}"
    return text


def _tokens(text: str) -> Iterator[_Token]:
    for found in _TOKEN.finditer(text):
        yield _Token(str(found.lastgroup), found[0], found.start())


def _step_at(tokens: Sequence[_Token], at: int) -> _Token | None:
    """Return what names the step behind a root, or before it and `in`."""
    before, after = tokens[max(at - 2, 0) : at], tokens[at + 1 : at + 4]
    match [token.text for token in after]:
        case [".", _, *rest] if rest != ["("]:
            return after[1]
        case ["[", _, "]"]:
            return after[1]
        case [".", *_]:
            return None
    match before:
        case [_Token("text") as found, _Token("name", "in")]:
            return found
        case _:
            return None


def _is_key(tokens: Sequence[_Token], at: int) -> bool:
    """Say whether a name is a key of something, as in `output.deps`."""
    if at < 2 or tokens[at - 1].text != ".":
        return False
    owner = tokens[at - 2]
    return owner.kind in ("name", "text") or owner.text in (")", "]", "}")


def _is_variable(tokens: Sequence[_Token], at: int) -> bool:
    """Say whether a name is one that the expression gives to elements, as in `all(deps, ...)`."""
    before = [token.text for token in tokens[max(at - 2, 0) : at]]
    follows = at + 1 < len(tokens) and tokens[at + 1].text == ","
    return follows and len(before) == 2 and before[0] in _MACROS and before[1] == "("


def _computes_key(tokens: Sequence[_Token], at: int) -> bool:
    """Say whether the key behind a root is anything but a plain text."""
    if [token.text for token in tokens[at + 1 : at + 2]] != ["["]:
        return False
    inside = tokens[at + 2 : at + 4]
    is_text = [token.kind for token in inside[:1]] == ["text"] and bool(inside[0].step)
    return not (is_text and [token.text for token in inside[1:]] == ["]"])

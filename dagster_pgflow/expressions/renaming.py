"""Conditions in CEL whose steps get other names: a rewriting of text that needs no CEL library.

Only a name that stands where the name of a step can stand is touched: `deps.check`,
`input["check"]`, `"check" in deps`. Everything else stays as its author wrote it.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Final

from dagster_pgflow.expressions.tokens import Token, tokens_of

_MACROS: Final = frozenset({"all", "exists", "exists_one", "filter", "map"})


def renamed_condition(text: str, names: Mapping[str, str], roots: Collection[str]) -> str | None:
    """Return a condition in which steps have other names.

    Args:
        text: CEL.
        names: The new names by the old ones.
        roots: Where outputs of steps are found: `deps`, or `deps` and `input`.

    Returns:
        The condition, or `None` where its text does not say which steps it asks for.

    >>> renamed_condition("deps.check.ok", {"check": "login_check"}, ["deps"])
    'deps.login_check.ok'
    """
    tokens = [token for token in tokens_of(text) if token.kind != "blank"]
    named: list[Token] = []
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


def _with_steps(text: str, named: Sequence[Token], names: Mapping[str, str]) -> str:
    for token in sorted(named, key=lambda token: token.start, reverse=True):
        new = token.text.replace(token.step, names[token.step])
        text = f"{text[: token.start]}{new}{text[token.end :]}"
    return text


def _step_at(tokens: Sequence[Token], at: int) -> Token | None:
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
        case [Token("text") as found, Token("name", "in")]:
            return found
        case _:
            return None


def _is_key(tokens: Sequence[Token], at: int) -> bool:
    """Return whether a name is a key of something, as in `output.deps`."""
    if at < 2 or tokens[at - 1].text != ".":
        return False
    owner = tokens[at - 2]
    return owner.kind in ("name", "text") or owner.text in (")", "]", "}")


def _is_variable(tokens: Sequence[Token], at: int) -> bool:
    """Return whether the expression gives a name to elements, as in `all(deps, ...)`."""
    before = [token.text for token in tokens[max(at - 2, 0) : at]]
    follows = at + 1 < len(tokens) and tokens[at + 1].text == ","
    return follows and len(before) == 2 and before[0] in _MACROS and before[1] == "("


def _computes_key(tokens: Sequence[Token], at: int) -> bool:
    """Return whether the key behind a root is anything but a plain text."""
    if [token.text for token in tokens[at + 1 : at + 2]] != ["["]:
        return False
    inside = tokens[at + 2 : at + 4]
    is_text = [token.kind for token in inside[:1]] == ["text"] and bool(inside[0].step)
    return not (is_text and [token.text for token in inside[1:]] == ["]"])

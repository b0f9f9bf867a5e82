"""Expressions in the manner of JavaScript, `data.map(x => x.value * 2)`, as CEL.

Only what means the same in both is taken over. What does not, or is not in CEL, is named together
with what to write; the library judges the rest.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from dagster_pgflow.expressions.tokens import Token, tokens_of

METHODS: Final = {"map": "map", "filter": "filter", "some": "exists", "every": "all"}
"""The methods that take an arrow function, and what they are called in CEL."""

RECEIVED: Final = "data"
"""What such expressions call what they are about."""

_HANDLER: Final = "give the work to a node of type function with a handler of yours"

_FIELDS: Final = {"length": 'write size(...), or ["length"] for a field of this name'}
"""What is a field there, and what to write."""

_METHODS: Final = {
    "includes": "write a in b for a list, a.contains(b) for a text",
    "toUpperCase": 'write the transformation "uppercase"',
    "toLowerCase": 'write the transformation "lowercase"',
    "trim": 'write the transformation "trim"',
    "toString": "write string(...)",
    "reduce": "use a node of type aggregate",
    "find": "write filter(...)[0]",
    "forEach": "write map",
    **dict.fromkeys(("sort", "slice", "concat", "flat", "flatMap", "indexOf", "join"), _HANDLER),
    **dict.fromkeys(("push", "reverse", "toFixed", "split", "replace", "keys"), _HANDLER),
}
_WORDS: Final = {
    "undefined": "write has(x.field)",
    "return": "write only what is returned",
    "function": "write map(x, ...)",
    **dict.fromkeys(("Math", "JSON", "Object", "Array", "Number", "String", "Date"), _HANDLER),
    **dict.fromkeys(("typeof", "new", "const", "let", "var", "await", "this"), _HANDLER),
    **dict.fromkeys(("parseInt", "parseFloat", "console", "Boolean"), _HANDLER),
}
_SIGN_ADVICE: Final = {
    "/": "write double(a) / double(b), since CEL leaves out the rest of whole numbers",
    "?.": "write has(x.field) ? x.field : null",
    "??": "write has(x.field) ? x.field : other",
    "...": "write each field",
}


_SIGNS: Final = frozenset({"=>", "==", "===", "!=", "!==", "?.", "??", "..", "..."})
"""The signs that are written with several characters, and what they begin with."""


@dataclass(frozen=True)
class _Arrow:
    """An arrow function: `x => ...`.

    Attributes:
        start: Where it begins.
        body: Where what it gives begins.
        name: What it calls its parameter.
        method: The method that it is given to; nothing, where it is all of the expression.
    """

    start: int
    body: int
    name: str
    method: str


_Edit = tuple[int, int, str]


def is_javascript(text: str) -> bool:
    """Return whether a text that is no CEL is meant so.

    >>> is_javascript("data.map(x => x.value)"), is_javascript("output.map(x, x.valu")
    (True, False)
    """
    tokens = _pieces(text)
    if any(token.text in ("=>", "===", "!==") for token in tokens):
        return True
    return any(_is_root(tokens, at) and tokens[at].text == RECEIVED for at in range(len(tokens)))


def as_cel(text: str, received: str, elements: Collection[str] = ()) -> tuple[str, list[str]]:
    """Return an expression as CEL, and what in it has no such meaning.

    Args:
        text: The expression.
        received: What stands in CEL for what it calls `data`.
        elements: What may stand for `item`, where it is asked for each element of a list.

    >>> as_cel("data.map(x => x.value * 2)", "output")
    ('output.map(x, x.value * 2)', [])
    """
    tokens = _pieces(text)
    arrows = list(_arrows(tokens, asks_elements=bool(elements)))
    inner = {arrow.name for arrow in arrows if arrow.method}
    names = dict.fromkeys([*elements, *(a.name for a in arrows if not a.method)], "item")
    names = {name: new for name, new in ({RECEIVED: received} | names).items() if name not in inner}
    edits = [*_edits(tokens, arrows, names)]
    unclear = [*_unclear(tokens, arrows)]
    if RECEIVED in inner:
        unclear.append(f'"{RECEIVED}" stands for two things; call the element something else')
    for start, end, new in sorted(edits, reverse=True):
        text = f"{text[:start]}{new}{text[end:]}"
    return text.strip(), unclear


def _edits(
    tokens: Sequence[Token], arrows: Sequence[_Arrow], names: Mapping[str, str]
) -> Iterator[_Edit]:
    heads = [range(arrow.start, arrow.body) for arrow in arrows]
    for arrow in arrows:
        yield arrow.start, arrow.body, f"{arrow.name}, " if arrow.method else ""
    for at, token in enumerate(tokens):
        if any(token.start in head for head in heads):
            continue
        if token.text in ("===", "!=="):
            yield token.start, token.end, token.text[:2]
        elif token.text in names and _is_root(tokens, at):
            yield token.start, token.end, names[token.text]
        elif token.text in METHODS and _is_method(tokens, at):
            yield token.start, token.end, METHODS[token.text]


def _arrows(tokens: Sequence[Token], *, asks_elements: bool) -> Iterator[_Arrow]:
    """Yield the arrow functions that are given to a method of `METHODS`, or are all there is."""
    for at, token in enumerate(tokens):
        if token.text != "=>" or at + 1 >= len(tokens):
            continue
        first = at - 3 if at >= 3 and tokens[at - 1].text == ")" else at - 1
        name = tokens[at - 2 if first == at - 3 else at - 1] if first >= 0 else token
        if name.kind != "name" or (first == at - 3 and tokens[first].text != "("):
            continue
        method = ""
        if first >= 2 and tokens[first - 1].text == "(" and _is_method(tokens, first - 2):
            method = tokens[first - 2].text
        if method in METHODS or (first == 0 and asks_elements):
            yield _Arrow(tokens[first].start, tokens[at + 1].start, name.text, method)


def _unclear(tokens: Sequence[Token], arrows: Sequence[_Arrow]) -> Iterator[str]:
    known = sum(token.text == "=>" for token in tokens) == len(arrows)
    if not known:
        methods = ", ".join(METHODS)
        yield f"only {methods} take an arrow function, of one parameter: x => x.value"
    for arrow in arrows:
        at = next(at for at, token in enumerate(tokens) if token.start == arrow.body)
        if tokens[at].text == "{":
            yield "an arrow function gives one expression, without braces: x => x.value"
    for at, token in enumerate(tokens):
        advice = _advice(tokens, at)
        if advice:
            yield f"`{token.text}` is none of CEL; {advice}"


def _advice(tokens: Sequence[Token], at: int) -> str | None:
    """Return what to write in place of a piece that CEL does not have."""
    token = tokens[at]
    match token.kind:
        case "sign":
            return _SIGN_ADVICE.get(token.text)
        case "name" if token.text.startswith("`"):
            return 'write "text" + string(value)'
        case "name" if _is_method(tokens, at):
            return _METHODS.get(token.text)
        case "name" if at and tokens[at - 1].text == ".":
            return _FIELDS.get(token.text)
        case "name":
            return _WORDS.get(token.text)
        case _:
            return None


def _pieces(text: str) -> list[Token]:
    """Return the pieces of an expression without blanks, signs that belong together as one."""
    pieces: list[Token] = []
    for token in tokens_of(text):
        before = pieces[-1] if pieces else None
        joined = f"{before.text}{token.text}" if before and before.end == token.start else ""
        if joined in _SIGNS and before is not None and before.kind == "sign":
            pieces[-1] = Token("sign", joined, before.start)
        elif token.kind != "blank":
            pieces.append(token)
    return pieces


def _is_root(tokens: Sequence[Token], at: int) -> bool:
    """Return whether a name begins a path, and is neither a field nor a function."""
    before = tokens[at - 1].text if at else ""
    behind = tokens[at + 1].text if at + 1 < len(tokens) else ""
    return tokens[at].kind == "name" and before not in (".", "?.") and behind != "("


def _is_method(tokens: Sequence[Token], at: int) -> bool:
    behind = tokens[at + 1].text if at + 1 < len(tokens) else ""
    return at > 0 and tokens[at - 1].text == "." and behind == "("

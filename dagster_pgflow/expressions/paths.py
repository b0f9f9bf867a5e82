"""Which fields an expression in CEL asks for: `flow_input.order.id`, `deps.cart["sum"]`.

Only what is certain is returned. Names that a macro gives to elements may hide a root, and what is
called or put together has no field that anybody knows beforehand.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dagster_pgflow.expressions.shorthand import long_form
from dagster_pgflow.expressions.tokens import Token, tokens_of


@dataclass(frozen=True)
class FieldPath:
    """A path that an expression follows.

    Attributes:
        root: What it begins with, such as `flow_input`.
        parts: The names of fields, and the numbers of elements, below.
    """

    root: str
    parts: tuple[str | int, ...]

    @property
    def text(self) -> str:
        """The path as people write it."""
        return self.root + "".join(
            f"[{part}]" if isinstance(part, int) else f".{part}" for part in self.parts
        )


def paths_in(text: str, roots: Sequence[str], *, bare: bool = False) -> Iterator[FieldPath]:
    """Yield the paths of an expression that begin with some roots, each once.

    Args:
        text: CEL, in which `$` may stand for `output`.
        roots: What they may begin with.
        bare: Whether a root of which no field is asked for is one of them.

    >>> [path.text for path in paths_in('$.a["b"] > flow_input.c[0]', ["output", "flow_input"])]
    ['output.a.b', 'flow_input.c[0]']
    """
    tokens = [token for token in tokens_of(long_form(text).text) if token.kind != "blank"]
    hidden = frozenset(_given_names(tokens))
    found = (
        FieldPath(token.text, tuple(_parts(tokens, at + 1)))
        for at, token in enumerate(tokens)
        if token.kind == "name" and token.text in roots and token.text not in hidden
        if at == 0 or tokens[at - 1].text not in (".", "?")
    )
    yield from dict.fromkeys(path for path in found if path.parts or bare)


def _parts(tokens: Sequence[Token], at: int) -> Iterator[str | int]:
    """Yield what is asked for one after the other, as far as it is written there."""
    while True:
        match [(token.kind, token.text) for token in tokens[at : at + 3]]:
            case [("sign", "."), ("name", name), *rest] if rest != [("sign", "(")]:
                yield name.strip("`")
                at += 2
            case [("sign", "["), ("number", number), ("sign", "]")] if number.isdecimal():
                yield int(number)
                at += 3
            case [("sign", "["), ("text", _), ("sign", "]")] if tokens[at + 1].step:
                yield tokens[at + 1].step
                at += 3
            case _:
                return


def _given_names(tokens: Sequence[Token]) -> Iterator[str]:
    """Yield the names that may be those of elements: the first arguments of what is called."""
    for at, token in enumerate(tokens):
        if token.text != "(":
            continue
        for name, comma in zip(tokens[at + 1 :: 2], tokens[at + 2 :: 2], strict=False):
            if name.kind != "name" or comma.text != ",":
                break
            yield name.text

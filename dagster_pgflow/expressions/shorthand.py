"""`$` in CEL, as it is written elsewhere for the value at hand: `$.x` is `output.x`.

The library reads the long form. Where it finds a problem there, `place` says where that stands in
what the author wrote.
"""

from dataclasses import dataclass
from typing import Final

from dagster_pgflow.errors import ExpressionProblem
from dagster_pgflow.expressions.tokens import Token, tokens_of

SHORT: Final = "$"
LONG: Final = "output"
_GROWTH: Final = len(LONG) - len(SHORT)


@dataclass(frozen=True)
class LongForm:
    """An expression as the library reads it.

    Attributes:
        text: CEL.
        columns: By line, from 1, the columns where `$` stood.
    """

    text: str
    columns: dict[int, list[int]]

    def place(self, problem: ExpressionProblem) -> ExpressionProblem:
        """Return a problem with its place in what the author wrote."""
        column = problem.column
        for short in self.columns.get(problem.line, ()):
            if short < column:
                column = max(short, column - _GROWTH)
        return ExpressionProblem(problem.line, column, problem.message)


def long_form(text: str) -> LongForm:
    """Return an expression without `$`; in the texts and comments of one it stays.

    >>> long_form("$.total > 3 && $.name != '$'").text
    "output.total > 3 && output.name != '$'"
    """
    if SHORT not in text:
        return LongForm(text, {})
    tokens, written = list(tokens_of(text)), []
    columns: dict[int, list[int]] = {}
    for at, token in enumerate(tokens):
        if not _is_short(tokens, at):
            written.append(token.text)
            continue
        written.append(LONG)
        line = text.count("\n", 0, token.start) + 1
        columns.setdefault(line, []).append(token.start - text.rfind("\n", 0, token.start))
    return LongForm("".join(written), columns)


def _is_short(tokens: list[Token], at: int) -> bool:
    """Return whether a piece is a `$` that stands for itself, not one in `$nodes` or `a.$`."""
    if tokens[at].text != SHORT or tokens[at].kind != "sign":
        return False
    before = tokens[at - 1] if at else None
    after = tokens[at + 1] if at + 1 < len(tokens) else None
    joined = before is not None and (before.kind in ("name", "number") or before.text in ".$")
    return not joined and (after is None or after.kind in ("blank", "sign")) and _alone(after)


def _alone(after: Token | None) -> bool:
    return after is None or after.text not in (SHORT, "{")

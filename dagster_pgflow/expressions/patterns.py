"""Regular expressions that come to an end: RE2, which CEL brings with it.

Python's own tries combinations without end, for a pattern like `(a+)+$` and a text of forty
letters. RE2 takes time in proportion to the text, and refuses patterns that would need more.
"""

from functools import cache

from dagster_pgflow.errors import PgflowError
from dagster_pgflow.expressions.cel import Expression, expression
from dagster_pgflow.step_errors import ExpressionFailed


class UnusablePattern(PgflowError):
    """A text is no regular expression that RE2 knows."""


def is_found(pattern: str, text: str) -> bool:
    """Return whether a pattern is found in a text.

    Raises:
        UnusablePattern: It is no pattern, or looks around or back, or counts too far.

    >>> is_found("^[a-z]+$", "oslo"), is_found("(a+)+$", "a" * 50 + "!")
    (True, False)
    """
    try:
        return _search().holds({"input": {"pattern": pattern, "text": text}})
    except ExpressionFailed as error:
        raise UnusablePattern(str(error)) from error


@cache
def _search() -> Expression:
    return expression("input.text.matches(input.pattern)")

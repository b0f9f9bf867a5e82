"""What the CEL library says of an expression, in our words and with a place that can be found."""

import re
from collections.abc import Iterator, Sequence

from dagster_pgflow.errors import ExpressionProblem

_ERROR = re.compile(
    r"ERROR: <input>:(-?\d+):(-?\d+): (.*?)(?=\n \| |\nERROR: <input>|\s*\[\w+\]$|\Z)", re.DOTALL
)
_STATUS = re.compile(r"^[A-Z_]+: |\s*\[[A-Z_]+\]$")
_REASONS = (
    (r"Key not found in map : (.*)", "there is no key {}"),
    (r"Index error: index=(-?\d+) size=(\d+)", "there is no element {} in a list of {}"),
    (r".*SELECT to non-message", "it asks for a key of something that is not an object"),
    (r'No value with name "([\w.]+)"', "there is no {} here"),
    (r"Iteration budget exceeded", "it takes too many iterations"),
    (r".*construction from null", "a text that it looks at is not valid Unicode"),
)
_LOGIC = ("<jump_condition>", "_&&_", "_||_", "!_")
_TOO_DEEP = ("recursion depth", "recursion limit")


def problems_in(raw: str, text: str, known: Sequence[str]) -> list[ExpressionProblem]:
    """Return the problems that the library found in an expression.

    Args:
        raw: The library's message.
        known: The names that it may use.
    """
    if not text.strip():
        return [ExpressionProblem(1, 1, "it is empty")]
    if any(words in raw for words in _TOO_DEEP):
        return [ExpressionProblem(1, 1, "it is nested too deeply")]
    if "incompatible function arguments" in raw:
        return [ExpressionProblem(1, 1, "it is not valid Unicode text")]
    found = list(_each(raw, text, known))
    # Behind the first syntax error the parser only guesses.
    wrong = [problem for problem, is_syntax in found if is_syntax][:1]
    return wrong or [problem for problem, _ in found] or [ExpressionProblem(1, 1, _bare(raw))]


def failure_in(raw: str) -> str:
    """Return why an expression could not be answered, as the end of a sentence."""
    reason = _bare(raw)
    for pattern, words in _REASONS:
        if found := re.match(pattern, reason, re.DOTALL):
            return words.format(*found.groups())
    if found := re.match(r"No matching overloads found : (.*)", reason):
        return _no_overload(found[1])
    return reason or "the library gives no reason"


def _each(raw: str, text: str, known: Sequence[str]) -> Iterator[tuple[ExpressionProblem, bool]]:
    for line_text, column_text, message in _ERROR.findall(raw):
        line, column = max(int(line_text), 1), max(int(column_text), 1)
        if found := re.match(r"undeclared reference to '([^']*)'", message):
            name = found[1]
            start, is_call = _start_of(name, text, line, column)
            yield ExpressionProblem(line, start, _unknown(name, known, is_call=is_call)), False
        elif message.startswith("Syntax error"):
            said = _reference_at(text, line, column) or _syntax(message)
            yield ExpressionProblem(line, column, said), True
        elif found := re.match(r"found no matching overload for '(\S+)' applied to (.*)", message):
            yield (
                ExpressionProblem(
                    line, column, _no_overload(f"{found[1]}{found[2].strip(chr(39))}")
                ),
                False,
            )
        else:
            yield ExpressionProblem(line, column, _plain(message)), False


def _reference_at(text: str, line: int, column: int) -> str | None:
    """Return what to write in place of a reference, when one stands there."""
    rest = text.split("\n")[line - 1][column - 1 :] if line <= text.count("\n") + 1 else ""
    found = re.match(r"\$\{?\s*\$?(nodes|input|item|event)\b", rest)
    instead = {"nodes": "deps.<step>", "input": "flow_input", "item": "item", "event": "event"}
    return f"in CEL write {instead[found[1]]}, without $" if found else None


def _start_of(name: str, text: str, line: int, column: int) -> tuple[int, bool]:
    """Return the column where a name begins, and whether it is called.

    The library points at the last dot of a path and at the parenthesis of a call.
    """
    lines = text.split("\n")
    row = lines[line - 1] if line <= len(lines) else ""
    first = name.partition(".")[0]
    begins = [
        found.start() + 1
        for found in re.finditer(rf"(?<!\w){re.escape(first)}(?!\w)", row)
        if found.start() < column
    ]
    is_call = row[column - 1 : column] == "("
    return (begins[-1] if begins else column), is_call


def _unknown(name: str, known: Sequence[str], *, is_call: bool) -> str:
    if is_call:
        return f'there is no function "{name}"'
    root = name.partition(".")[0]
    if root == "output" and "deps" in known:
        return '"output" exists only where a step has exactly one dependency; use deps.<step>'
    near = [option for option in known if option.partition(".")[0] == root]
    path = ".".join(name.split(".")[:2]) if near else root
    return f'there is no "{path}"; use one of: {", ".join(near or known)}'


def _syntax(message: str) -> str:
    said = message.removeprefix("Syntax error: ")
    if "'<EOF>'" in said.partition("expecting")[0]:
        missing = re.match(r"missing ('.')", said)
        return f"it ends where {missing[1]} is missing" if missing else "it ends too early"
    found = re.search(r"'(.*?)'(?: expecting .*)?$", said, re.DOTALL)
    return f'"{found[1].strip()}" does not belong here' if found else said


def _plain(message: str) -> str:
    if found := re.match(r"reserved identifier: (\w+)", message):
        return f'"{found[1]}" is reserved'
    if "has() argument" in message:
        return "has() takes a path such as input.key"
    return " ".join(message.split())


def _no_overload(raw: str) -> str:
    found = re.match(r"(\S+?)\((.*)\)$", raw)
    if found is None:
        return (
            "it needs true or false where it has something else"
            if raw in _LOGIC
            else f'"{raw.strip("_@")}" does not work on these values'
        )
    operator, kinds = found[1].strip("_@"), " and ".join(found[2].split(", "))
    return f'"{operator}" does not work on {kinds}'


def _bare(raw: str) -> str:
    return _STATUS.sub("", _STATUS.sub("", raw.strip())).strip()

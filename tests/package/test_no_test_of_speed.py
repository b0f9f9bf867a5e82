"""No test fails because a machine is slow: what is measured is in `tests/benchmarks`.

Tests count instead: rows (`tests.sql_work`), calls (`tests.calls`), what a clock that never waits
was asked to sleep (`tests.reference.clock`), or see what has not happened yet.
"""

import ast
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
MEASURES = {"benchmarks", "chaos"}
CLOCKS = {
    name + ending
    for name in ("monotonic", "perf_counter", "process_time", "thread_time", "time")
    for ending in ("", "_ns")
} | {"total_seconds"}


def test_no_test_says_how_long_something_may_take() -> None:
    files = [path for path in TESTS.rglob("*.py") if not MEASURES & set(path.parts)]
    found = {
        f"{path.relative_to(TESTS)}:{line}"
        for path in files
        for line in upper_bounds(path.read_text())
    }
    assert found == set()


@pytest.mark.parametrize(
    ("body", "is_found"),
    [
        ("began = time.monotonic()\n work()\n assert time.monotonic() - began < 3", True),
        ("began = perf_counter()\n took = perf_counter() - began\n assert 3 >= took", True),
        ("began = time.time()\n assert 1 <= time.time() - began <= 5", True),
        ("took = row['end'] - row['start']\n assert took.total_seconds() < 1", True),
        ("while look():\n  assert time.monotonic() < deadline", True),
        ("began = time.monotonic()\n work()\n assert time.monotonic() - began >= 3", False),
        ("began = time.time()\n assert 1 <= time.time() - began", False),
        ("began = time.time()\n assert calls < 3", False),
    ],
)
def test_a_bound_is_found_in_each_way_to_write_it(body: str, *, is_found: bool) -> None:
    assert bool(list(upper_bounds(f"def test() -> None:\n {body}\n"))) is is_found


def upper_bounds(source: str) -> Iterator[int]:
    """Yields the lines of the assertions in which time stands on the smaller side."""
    for function in ast.walk(ast.parse(source)):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        names = times_in(function)
        for statement in ast.walk(function):
            if isinstance(statement, ast.Assert) and any(
                is_time(smaller, names) for smaller in smaller_sides(statement)
            ):
                yield statement.lineno


def times_in(function: ast.AST) -> set[str]:
    """Returns the names of what was read from a clock, or comes of it."""
    names: set[str] = set()
    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and is_time(node.value, names):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return names


def is_time(value: ast.AST, names: set[str]) -> bool:
    for node in ast.walk(value):
        if isinstance(node, ast.Name) and node.id in names:
            return True
        if isinstance(node, ast.Call) and called(node) in CLOCKS:
            return True
    return False


def called(call: ast.Call) -> str:
    match call.func:
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return name
    return ""


def smaller_sides(statement: ast.Assert) -> Iterator[ast.AST]:
    for node in ast.walk(statement.test):
        if isinstance(node, ast.Compare):
            sides = pairwise([node.left, *node.comparators])
            for operator, (left, right) in zip(node.ops, sides, strict=True):
                if isinstance(operator, ast.Lt | ast.LtE):
                    yield left
                if isinstance(operator, ast.Gt | ast.GtE):
                    yield right

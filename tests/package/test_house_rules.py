"""Rules of the house that no other tool of `make test` checks."""

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "dagster_pgflow"
PYTHON = sorted(PACKAGE.rglob("*.py"))
SQL = sorted(path for path in PACKAGE.rglob("*.sql") if "migrations" not in path.parts)
VAGUE_NAMES = {
    name + ending
    for name in ("base", "common", "core", "helpers", "misc", "util", "utils", "v2")
    for ending in ("", ".py")
}
LOUD_KEYWORDS = {"SELECT", "INSERT", "UPDATE", "DELETE", "CREATE", "FROM", "WHERE", "BEGIN", "END"}


def test_a_file_has_at_most_400_lines() -> None:
    files = [*PYTHON, *SQL, *(ROOT / "tests").rglob("*.py")]
    lengths = {relative(path): len(path.read_text().splitlines()) for path in files}
    assert {name: lines for name, lines in lengths.items() if lines > 400} == {}


def test_a_function_is_at_most_40_lines_long() -> None:
    lengths = {
        f"{relative(path)}:{function.name}": length(function)
        for path in PYTHON
        for function in functions(path)
    }
    assert {name: lines for name, lines in lengths.items() if lines > 40} == {}


def test_a_module_is_named_after_what_it_holds() -> None:
    vague = [path for path in PYTHON if VAGUE_NAMES & set(path.relative_to(ROOT).parts)]
    assert [relative(path) for path in vague] == []


def test_sql_is_written_in_lower_case() -> None:
    loud = [path for path in SQL if LOUD_KEYWORDS & set(path.read_text().split())]
    assert [relative(path) for path in loud] == []


def test_no_test_folder_shadows_a_library() -> None:
    assert not (ROOT / "tests" / "dagster").exists()


def test_the_project_file_does_not_override_the_workspace() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert {"dagster", "dg"}.isdisjoint(project["tool"])


def test_private_parts_of_dagster_are_imported_in_one_place_only() -> None:
    offenders = [
        relative(path)
        for path in PYTHON
        if path.name != "compat.py"
        and any("dagster._" in (module or "") for module in imported_modules(path))
    ]
    assert offenders == []


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Counts the lines of the body: a docstring and a long signature are no complexity."""
    first = function.body[1] if ast.get_docstring(function) and len(function.body) > 1 else None
    start = (first or function.body[0]).lineno
    return (function.end_lineno or start) - start + 1


def imported_modules(path: Path) -> Iterator[str | None]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            yield node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)

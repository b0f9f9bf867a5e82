"""The public door: what `from dagster_pgflow import ...` offers."""

import ast
from importlib import import_module
from pathlib import Path

import pytest

import dagster_pgflow


def test_the_public_names_are_sorted() -> None:
    assert dagster_pgflow.__all__ == sorted(dagster_pgflow.__all__)


@pytest.mark.parametrize("name", dagster_pgflow.__all__)
def test_every_public_name_can_be_loaded(name: str) -> None:
    assert getattr(dagster_pgflow, name) is not None


def test_type_checkers_see_the_same_names_as_programs() -> None:
    [checked] = [
        node
        for node in ast.parse(Path(dagster_pgflow.__file__).read_text()).body
        if isinstance(node, ast.If)
    ]
    seen = {
        alias.name: statement.module
        for statement in checked.body
        if isinstance(statement, ast.ImportFrom)
        for alias in statement.names
    }
    assert sorted([*seen, "__version__"]) == dagster_pgflow.__all__
    for name, module in seen.items():
        assert module is not None
        assert getattr(import_module(module), name) is getattr(dagster_pgflow, name)


def test_public_names_appear_in_completion() -> None:
    assert set(dagster_pgflow.__all__) <= set(dir(dagster_pgflow))


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'flows'"):
        getattr(dagster_pgflow, "flows")  # noqa: B009  the name is unknown to type checkers

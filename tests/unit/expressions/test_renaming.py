"""Conditions and templates whose steps get other names."""

import doctest
from typing import Any

import pytest

from dagster_pgflow.expressions import references, renaming
from dagster_pgflow.expressions.cel import expression
from dagster_pgflow.expressions.references import with_steps_renamed
from dagster_pgflow.expressions.renaming import renamed_condition

NEW = {"check": "login_check", "load": "login_load"}
ROOTS = ("deps", "input")


def test_the_examples_are_true() -> None:
    assert doctest.testmod(references).failed == 0
    assert doctest.testmod(renaming).failed == 0


@pytest.mark.parametrize(
    ("text", "renamed"),
    [
        ("deps.check.ok", "deps.login_check.ok"),
        ("deps.check == input.load", "deps.login_check == input.login_load"),
        ("has(deps . check)", "has(deps . login_check)"),
        ("deps.check.size() > 1", "deps.login_check.size() > 1"),
        ("deps['check'].check", "deps['login_check'].check"),
        ('deps["check"] == r"check"', 'deps["login_check"] == r"check"'),
        ("deps[r'check']", "deps[r'login_check']"),
        ("deps['''check''']", "deps['''login_check''']"),
        ("deps.`check`.ok", "deps.`login_check`.ok"),
        ("'check' in deps", "'login_check' in deps"),
        ("!('check' in input)", "!('login_check' in input)"),
        ("deps.check.all(x, x in deps.load)", "deps.login_check.all(x, x in deps.login_load)"),
        ("{'a': deps.check}.a", "{'a': deps.login_check}.a"),
        ("deps.check // deps.check\n== 1", "deps.login_check // deps.check\n== 1"),
    ],
)
def test_a_name_in_the_place_of_a_step_is_renamed(text: str, renamed: str) -> None:
    assert renamed_condition(text, NEW, ROOTS) == renamed
    expression(text)
    expression(renamed)


@pytest.mark.parametrize(
    "text",
    [
        "deps.checks.check",
        "output.deps.check",
        "output['deps'].check == 1",
        "output[0].deps.check == 1",
        "{'deps': 1}.deps == 1",
        "flow_input.check == flow_input.input.check",
        "ctx.params.check",
        "output == 'deps.check'",
        "output == 'it\\'s deps.check'",
        "output == r'\\d' || deps.other",
        "output == 'check'",
        "size(deps) > 1",
        "deps.size() == 1 && output == 'other'",
        "deps.all(name, name != 'other')",
        "input == flow_input",
    ],
)
def test_everything_else_stays(text: str) -> None:
    assert renamed_condition(text, NEW, ROOTS) == text
    expression(text)


def test_only_the_given_roots_hold_steps() -> None:
    text = "deps.check && input.check && 'check' in input"
    renamed = "deps.login_check && input.check && 'check' in input"
    assert renamed_condition(text, NEW, ["deps"]) == renamed


@pytest.mark.parametrize(
    "text",
    [
        "deps.exists(name, name == 'check')",
        "deps[ctx.params.which]",
        "deps['che' + 'ck']",
        "deps['che\\x63k']",
        "output.all(deps, deps.check)",
        "output.exists(input, input.check)",
    ],
)
def test_what_does_not_tell_its_steps_has_no_answer(text: str) -> None:
    assert renamed_condition(text, NEW, ROOTS) is None
    expression(text)


@pytest.mark.parametrize(
    "text", ["", "deps", "deps.", "deps[", "'check", "deps.check &&", "`", "("]
)
def test_what_is_no_condition_is_left_for_others_to_judge(text: str) -> None:
    renamed = renamed_condition(text, NEW, ROOTS)
    assert renamed is None or renamed == text.replace("deps.check", "deps.login_check")


@pytest.mark.parametrize(
    ("template", "renamed"),
    [
        ("$nodes.check", "$nodes.login_check"),
        ("$nodes.check.check[0].load", "$nodes.login_check.check[0].load"),
        ("$nodes.check[0]", "$nodes.login_check[0]"),
        ("$nodes.checks", "$nodes.checks"),
        ("$input.check", "$input.check"),
        (
            "${$nodes.check.a} of ${ $nodes.load }",
            "${$nodes.login_check.a} of ${ $nodes.login_load }",
        ),
        ("$$nodes.check", "$$nodes.check"),
        ("nodes.check $nodes.check", "nodes.check $nodes.check"),
        ({"check": ["$nodes.check", 1, None]}, {"check": ["$nodes.login_check", 1, None]}),
        ("$nodes", "$nodes"),
        ("$node.check", "$node.check"),
    ],
)
def test_a_template_refers_to_the_new_names(template: Any, renamed: Any) -> None:
    assert with_steps_renamed(template, NEW) == renamed

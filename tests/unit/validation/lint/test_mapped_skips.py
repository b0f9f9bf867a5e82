from typing import Any

import pytest

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.validation.lint.mapped_skips import mappings_need_what_is_there
from tests.unit.validation.problems import problems_found


def flow(**dep: Any) -> Flow:
    mapping = {"x": "$nodes.a.n", "y": ["${$nodes.a.m}", "$nodes.b"]}
    return (
        Flow("f").step("a", **dep).step("b").subflow("s", "c", depends_on=["a", "b"], input=mapping)
    )


@pytest.mark.parametrize(
    "dep", [{"if_": {"n": 1}}, {"run_unless": "input.n == 1"}, {"when_exhausted": "skip"}]
)
def test_a_reference_to_a_step_that_may_be_skipped_is_told_once(dep: dict[str, Any]) -> None:
    assert problems_found(mappings_need_what_is_there, flow(**dep)) == [
        (
            "reference-to-a-skip",
            "steps.s.input.x",
            (
                'When step "a" is skipped, this leads nowhere and step "s" fails; let "a" skip what'
                " follows (skip-cascade), or fail."
            ),
        )
    ]


@pytest.mark.parametrize(
    "dep",
    [
        {},
        {"if_": {"n": 1}, "when_unmet": "skip-cascade"},
        {"run_if": "true", "when_unmet": "fail"},
        {"when_exhausted": "skip-cascade"},
    ],
)
def test_a_step_that_is_there_whenever_the_next_one_runs_is_not(dep: dict[str, Any]) -> None:
    assert problems_found(mappings_need_what_is_there, flow(**dep)) == []

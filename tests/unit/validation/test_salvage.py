"""Documents whose shape is wrong: what was meant, and what the rules say about the rest."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dagster_pgflow.errors import InvalidFlow
from dagster_pgflow.validation.salvage import flow_of_document
from tests.unit.validation.test_parse_flow import GOOD, anything, broken, places_in


def problems_of(document: Any) -> dict[str, str]:
    """Returns the messages by their paths."""
    with pytest.raises(InvalidFlow) as caught:
        flow_of_document(document)
    return {problem.path: problem.message for problem in caught.value.problems}


def codes_of(*steps: Any) -> list[str]:
    with pytest.raises(InvalidFlow) as caught:
        flow_of_document({"slug": "f", "steps": list(steps)})
    return [problem.code for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("step", "advice"),
    [
        ({"deps": []}, '"depends_on" may be meant'),
        ({"dependson": []}, '"depends_on" may be meant'),
        ({"handlr": "x"}, '"handler" may be meant'),
        ({"max_attempts": 3}, 'write it inside "options"'),
        ({"retries": 3}, '"max_attempts" inside "options" may be meant'),
        ({"options": {"timeuot": 3}}, '"timeout" may be meant'),
        ({"options": {"handler": "x"}}, 'write it beside "options", not inside'),
        ({"batch_size": 3}, "only a step of type map has it"),
        ({"flow": "x"}, "only a step of type subflow has it"),
        ({"zzz": 3}, "remove it"),
    ],
)
def test_a_field_that_there_is_not_is_told_with_what_was_meant(
    step: dict[str, Any], advice: str
) -> None:
    document = {"slug": "f", "steps": [{"type": "single", "slug": "s", **step}]}
    assert list(problems_of(document).values()) == [f"There is no such field here; {advice}."]


@pytest.mark.parametrize(
    ("document", "advice"),
    [
        ({"slug": "f", "name": "x"}, '"slug" may be meant'),
        ({"slug": "f", "stpes": []}, '"steps" may be meant'),
        ({"slug": "f", "schedules": [{"slug": "s", "cron": "* * * * *", "tz": 1}]}, "remove it"),
    ],
)
def test_fields_of_the_flow_and_of_schedules_have_hints_too(document: Any, advice: str) -> None:
    assert list(problems_of(document).values()) == [f"There is no such field here; {advice}."]


def test_problems_of_shape_and_broken_rules_are_told_in_one_go() -> None:
    found = problems_of(
        {
            "slug": "9",
            "owner": "me",
            "steps": [
                {"type": "single", "slug": "a", "deps": ["ghost"]},
                {"type": "single", "slug": "b", "depends_on": ["b"], "options": {"timeout": 0}},
                {"type": "single", "slug": "c", "depends_on": 5, "run_if": "nonsense("},
            ],
            "schedules": [{"slug": "n", "cron": "never"}, {"slug": "lacks"}],
        }
    )
    assert set(found) == {
        *("slug", "owner", "steps.0.deps", "steps.2.depends_on", "schedules.1.cron"),
        *("steps.a.depends_on", "steps.b.depends_on", "steps.b.options.timeout"),
        *("steps.c.run_if", "schedules.n.cron"),
    }


def test_a_step_that_cannot_be_read_makes_no_other_step_wrong() -> None:
    after = {"type": "map", "slug": "m", "depends_on": ["x"], "pipelined": True}
    assert codes_of({"type": "mapp", "slug": "x"}, after) == ["unknown-step-type"]
    assert codes_of({"type": "subflow", "slug": "x"}, after) == ["missing-field"]
    assert codes_of({"type": "map", "name": "x"}, after) == ["missing-field", "unknown-field"]
    assert codes_of({"type": "map"}, after) == ["missing-field"]
    assert codes_of(5, after) == ["wrong-value"]


RULE = {"when": "true", "then": ["x"]}
ROUTE = {"type": "branch", "slug": "b", "rules": [RULE]}
AGAIN = {
    "type": "loop",
    "slug": "l",
    "back_to": "x",
    "condition": "true",
    "max_iterations": 2,
    "depends_on": ["x"],
}


def test_nothing_is_said_of_ways_that_cannot_be_read() -> None:
    target = {"type": "single", "slug": "x", "depends_on": ["b"]}
    assert codes_of({"type": "brunch", "slug": "x", "depends_on": ["b"]}, ROUTE, AGAIN) == [
        "unknown-step-type"
    ]
    assert codes_of(5, ROUTE, AGAIN) == ["wrong-value"]
    assert codes_of({**ROUTE, "rules": [{"when": "true"}]}, target) == ["missing-field"]
    assert codes_of({**ROUTE, "rules": [{"when": "true", "to": ["x"]}]}, target) == [
        "missing-field",
        "unknown-field",
    ]
    assert codes_of({"type": "branch", "slug": "b"}, target) == ["missing-field"]
    assert codes_of({**ROUTE, "rules": 5}, target) == ["wrong-value"]
    assert codes_of({"type": "loop", "slug": "l"}) == ["missing-field"] * 3


@pytest.mark.parametrize(
    ("place", "name", "advice"),
    [
        (ROUTE, "default", '"default_path" may be meant'),
        (ROUTE, "back_to", "only a step of type loop has it"),
        (RULE, "condition", '"when" may be meant'),
        (RULE, "if", '"when" may be meant'),
        (RULE, "to", '"then" may be meant'),
        (RULE, "thn", '"then" may be meant'),
        (RULE, "zzz", "remove it"),
        (AGAIN, "while", '"condition" may be meant'),
        (AGAIN, "wait", "only a step of type join has it"),
    ],
)
def test_fields_of_ways_have_hints_too(place: dict[str, Any], name: str, advice: str) -> None:
    steps = [{**ROUTE, "rules": [RULE]}, AGAIN]
    given = {**place, name: []}
    steps = [given if step == place else step for step in steps]
    steps = [{**ROUTE, "rules": [given]}, AGAIN] if place is RULE else steps
    found = problems_of({"slug": "f", "steps": steps})
    told = [message for message in found.values() if message.startswith("There is no such field")]
    assert told == [f"There is no such field here; {advice}."]


def test_what_depends_on_steps_that_can_be_read_is_judged_all_the_same() -> None:
    step = {"type": "single", "slug": "a", "depends_on": ["x", "ghost"]}
    assert codes_of({"type": "mapp", "slug": "x"}, step) == [
        "unknown-step-type",
        "unknown-dependency",
    ]


def reads_or_refuses(document: Any) -> None:
    with suppress(InvalidFlow):
        flow_of_document(document)


@given(anything)
def test_no_document_causes_a_traceback(document: Any) -> None:
    reads_or_refuses(document)


@given(st.sampled_from(places_in(GOOD)), anything)
@example(("input_schema",), {0: None})
def test_no_wrong_value_causes_a_traceback(place: tuple[Any, ...], value: Any) -> None:
    reads_or_refuses(broken(place, lambda holder, key: holder.__setitem__(key, value)))


@given(st.sampled_from(places_in(GOOD)), st.sampled_from(["deps", "name", "opt", "tpye"]))
def test_no_wrong_name_causes_a_traceback(place: tuple[Any, ...], name: str) -> None:
    def rename(holder: Any, key: Any) -> None:
        if isinstance(holder, dict):
            holder[name] = holder.pop(key)

    reads_or_refuses(broken(place, rename))


def test_a_type_that_there_is_not_hides_no_other_mistake_of_its_step() -> None:
    mistakes = {"depend_on": [], "batch_size": "many", "flow": "x"}
    found = problems_of({"slug": "f", "steps": [{"slug": "s", "type": "mpa", **mistakes}]})
    assert '"map" may be meant' in found.pop("steps.0")
    assert found == {
        "steps.0.depend_on": 'There is no such field here; "depends_on" may be meant.',
        "steps.0.batch_size": "Input should be a valid integer, unable to parse string as an"
        " integer; got 'many'.",
    }


@pytest.mark.parametrize("kind", [None, 5, [], {}, "", "wibble"])
def test_whatever_stands_for_a_type_is_one_problem_of_its_step(kind: Any) -> None:
    step = {"slug": "s", "type": kind, "prompt": "?", "wait": "any"}
    assert list(problems_of({"slug": "f", "steps": [step]})) == ["steps.0"]


def test_a_step_without_a_type_is_single_and_told_of_which_type_its_fields_are() -> None:
    found = problems_of({"slug": "f", "steps": [{"slug": "s", "over": "x"}]})
    assert found == {
        "steps.0.over": "There is no such field here; only a step of type subflow has it."
    }

"""What a handler sees of a step that came from a fragment."""

from typing import Any

import pytest

from dagster_pgflow.model.steps import MapStep, SingleStep, SubflowStep
from dagster_pgflow.names import NAMES_KEY
from dagster_pgflow.runtime.own_names import named_for_handler, params_for_handler

STEP = SingleStep(slug="s", params={"n": 1, NAMES_KEY: {"login_check": "check"}})


def test_a_handler_receives_its_dependencies_under_the_names_that_it_knows() -> None:
    assert named_for_handler(STEP, {"login_check": 1, "cart": 2}) == {"check": 1, "cart": 2}
    assert named_for_handler(STEP, {"cart": 2}) == {"cart": 2}


@pytest.mark.parametrize("value", [{"check": 1}, [1], None])
def test_everything_else_arrives_as_it_is(value: Any) -> None:
    assert named_for_handler(STEP, value) == value
    assert named_for_handler(MapStep(slug="m", params={NAMES_KEY: 5}), value) == value
    assert named_for_handler(SubflowStep(slug="s", flow="f"), value) == value


def test_the_names_are_none_of_the_constants() -> None:
    assert params_for_handler(STEP) == {"n": 1}
    assert params_for_handler(SubflowStep(slug="s", flow="f")) == {}


@pytest.mark.parametrize("names", ["check", {"a": ["x"]}, {"a": 1}, {"a": "x", "b": "x"}, None])
def test_what_is_written_there_by_hand_and_makes_no_sense_loses_nothing(names: Any) -> None:
    step = SingleStep(slug="s", params={NAMES_KEY: names})
    assert named_for_handler(step, {"a": 1, "b": 2}) == {"a": 1, "b": 2}

"""The names that a handler knows, of a step that came from a fragment."""

from typing import Any

import pytest

from dagster_pgflow.model.step import SingleStep
from dagster_pgflow.names import NAMES_KEY
from dagster_pgflow.runtime.own_names import input_for_handler, params_for_handler


def step(names: Any) -> SingleStep:
    return SingleStep(slug="s", params={NAMES_KEY: names, "limit": 3})


def test_the_handler_receives_the_names_of_the_fragment() -> None:
    given = {"login_check": 1, "other": 2}
    assert input_for_handler(step({"login_check": "check"}), given) == {"check": 1, "other": 2}


@pytest.mark.parametrize("names", ["check", {"a": ["x"]}, {"a": 1}, {"a": "x", "b": "x"}, None])
def test_what_is_written_there_by_hand_and_makes_no_sense_loses_nothing(names: Any) -> None:
    assert input_for_handler(step(names), {"a": 1, "b": 2}) == {"a": 1, "b": 2}


def test_the_names_are_no_param_for_the_handler() -> None:
    assert params_for_handler(step({})) == {"limit": 3}

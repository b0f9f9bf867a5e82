"""What is derived from the kinds of steps, and what stands beside them, knows each of them."""

import inspect
from typing import get_args, get_type_hints

import pytest

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.options import StepOptions
from dagster_pgflow.model.steps import KINDS, Step, StepFields, StepType, builders_with
from dagster_pgflow.model.steps.fields import CommonFields

OPTIONS = set(StepOptions.model_fields)


def test_each_kind_is_in_the_union_and_has_its_type() -> None:
    union, _ = get_args(Step)
    assert set(KINDS.values()) == set(get_args(union))
    assert set(KINDS) == set(get_args(StepType))


@pytest.mark.parametrize("kind", KINDS)
def test_flows_have_a_method_that_takes_what_a_kind_has(kind: str) -> None:
    model = KINDS[kind]
    method = getattr(Flow, model.builder)
    taken = set(inspect.signature(method).parameters) - {"self", "settings"}
    # Behind the last parameter stand those that other kinds have, too.
    [settings] = get_args(get_type_hints(method)["settings"])
    common = set(get_type_hints(settings))
    assert taken | common == OPTIONS | model.model_fields.keys() - model.not_arguments
    assert f"{model.__name__}" in inspect.getsource(method)


def test_the_fields_that_steps_are_added_with_are_those_of_the_kinds() -> None:
    fields = {name for model in KINDS.values() for name in model.model_fields}
    # By position, within the flow's own words, and one by one.
    wanted = fields - {"slug", "depends_on", "type", "options"} | {"step_type"} | OPTIONS
    assert set(get_type_hints(StepFields)) == wanted


def test_what_all_kinds_have_can_be_said_of_all() -> None:
    shared = set.intersection(*(set(model.model_fields) for model in KINDS.values()))
    assert (
        set(get_type_hints(CommonFields))
        == shared
        - {
            "slug",
            "depends_on",
            "type",
            "options",
        }
        | OPTIONS
    )


def test_arguments_are_told_by_the_methods_that_take_them() -> None:
    assert builders_with("handler") == ("step", "map", "branch", "loop")
    assert builders_with("over") == ("subflow",)
    assert builders_with("input_schema") == builders_with("nonsense") == ()

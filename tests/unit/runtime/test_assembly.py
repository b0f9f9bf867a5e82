"""What a step receives, put together from what arrived."""

from typing import Any

import pytest

from dagster_pgflow.model.steps import SingleStep, Step, SubflowStep
from dagster_pgflow.runtime.assembly import Receiver, assemble
from dagster_pgflow.runtime.input_parts import InputPart
from dagster_pgflow.runtime.values import Batch, Skipped
from dagster_pgflow.step_path import RUN, StepPath


def skip(*path: str, cascade: bool = False) -> Any:
    return Skipped("condition_unmet", StepPath(".".join(path)), cascade=cascade).to_wire()


def batch(*values: Any, start: int = 0) -> Any:
    return Batch(start, values).to_wire()


def put_together(values: dict[InputPart, Any], frame: StepPath = RUN) -> Any:
    steps = {part.dep: SingleStep(slug=part.dep) for part in values}
    receiver = Receiver(SingleStep(slug="here"), steps, frame)
    return assemble(receiver, tuple(values), values)


def test_outputs_are_keyed_by_dependency() -> None:
    assert put_together({InputPart("a"): 0, InputPart("b"): None}) == {"a": 0, "b": None}


def test_the_batches_of_a_map_are_one_list() -> None:
    arrived = [batch(3, start=2), batch(1, None)]
    assert put_together({InputPart("m", collected=True): arrived}) == {"m": [1, None, 3]}


def test_the_output_of_a_subflow_is_keyed_by_its_final_steps() -> None:
    values: dict[InputPart, Any] = {
        InputPart("s", ("inner", "m")): [1, 2],
        InputPart("s", ("inner", "b")): 3,
        InputPart("s", ("c",)): None,
    }
    assert put_together(values) == {"s": {"inner": {"m": [1, 2], "b": 3}, "c": None}}


def test_a_skipped_dependency_has_no_key() -> None:
    assert put_together({InputPart("a"): skip("a"), InputPart("b"): 1}) == {"b": 1}
    assert put_together({InputPart("a"): skip("a")}) == {}


def test_a_dependency_that_cascades_skips_the_step() -> None:
    found = put_together({InputPart("b"): 1, InputPart("a"): skip("a", cascade=True)})
    assert found == Skipped("condition_unmet", StepPath("a"), cascade=True)


def test_a_skipped_final_step_of_a_subflow_has_no_key_there() -> None:
    values = {InputPart("s", ("a",)): skip("s", "a"), InputPart("s", ("b",)): 1}
    assert put_together(values) == {"s": {"b": 1}}


def test_a_subflow_whose_final_steps_are_all_skipped_is_null() -> None:
    values = {InputPart("s", ("a",)): skip("s", "a"), InputPart("s", ("b",)): skip("s", "b")}
    assert put_together(values) == {"s": None}


def test_a_cascade_inside_a_subflow_ends_at_its_border() -> None:
    values = {InputPart("s", ("a",)): skip("s", "a", cascade=True), InputPart("s", ("b",)): 1}
    assert put_together(values) == {"s": {"b": 1}}


def test_a_skipped_subflow_has_no_key() -> None:
    values = {
        InputPart("s", ("a",)): skip("s"),
        InputPart("s", ("b",)): skip("s"),
        InputPart("x"): 1,
    }
    assert put_together(values) == {"x": 1}


def test_a_skipped_inner_subflow_has_no_key_in_the_outer_one() -> None:
    values = {InputPart("s", ("inner", "a")): skip("s", "inner"), InputPart("s", ("c",)): 1}
    assert put_together(values) == {"s": {"c": 1}}


def test_a_subflow_that_cascades_skips_the_step() -> None:
    found = put_together({InputPart("s", ("a",)): skip("s", cascade=True)})
    assert found == Skipped("condition_unmet", StepPath("s"), cascade=True)


@pytest.mark.parametrize("cascade", [True, False])
def test_inside_a_skipped_subflow_every_step_is_skipped(cascade: bool) -> None:
    found = put_together({InputPart("a"): skip("s", cascade=cascade)}, frame=StepPath("s.inner"))
    assert found == Skipped("condition_unmet", StepPath("s"), cascade=cascade)


FAILED = Skipped("handler_failed", StepPath("s"), error="no money").to_wire()
ROUTED: dict[str, Step] = {
    "x": SingleStep(slug="x"),
    "s": SubflowStep(slug="s", flow="child", on_failure="repair"),
    "repair": SingleStep(slug="repair", depends_on=("s", "x")),
    "ship": SingleStep(slug="ship", depends_on=("s", "x")),
    "box": SingleStep(slug="box", depends_on=("ship", "x")),
    "close": SingleStep(slug="close", depends_on=("box", "repair", "x")),
    "early": SingleStep(slug="early", depends_on=("s", "repair")),
    "last": SingleStep(slug="last", depends_on=("close", "ship")),
}


def received(slug: str, **values: Any) -> Any:
    """Returns what a step receives in a flow where the failure of "s" leads to "repair"."""

    def trace(path: StepPath) -> list[dict[str, Any]]:
        return [{"step": ".".join(path)}]

    arrived = {
        InputPart(dep, ("end",) if dep == "s" else ()): value for dep, value in values.items()
    }
    return assemble(Receiver(ROUTED[slug], ROUTED, RUN, trace), tuple(arrived), arrived)


def not_taken(slug: str) -> Skipped:
    return Skipped("not_taken", StepPath(slug), not_taken=(StepPath("s"),))


def test_the_failure_step_receives_the_error_and_the_trace_of_the_subflow() -> None:
    told = {"error": "no money", "child_trace": [{"step": "s"}]}
    assert received("repair", s=FAILED, x=2) == {"s": told, "x": 2}


def test_the_failure_step_is_not_taken_when_the_subflow_succeeds() -> None:
    assert received("repair", s=1, x=2) == not_taken("repair")


def test_a_step_behind_the_subflow_is_not_taken_when_it_fails_whatever_else_it_needs() -> None:
    assert received("ship", s=FAILED, x=2) == not_taken("ship")


def test_nor_is_what_only_such_a_step_leads_to() -> None:
    route = not_taken("ship").to_wire()
    assert received("box", ship=route, x=2) == not_taken("box")


def test_a_step_that_both_routes_lead_to_runs_with_the_one_that_was_taken() -> None:
    assert received("close", box=not_taken("box").to_wire(), repair=1, x=2) == {"repair": 1, "x": 2}
    assert received("close", box=1, repair=not_taken("repair").to_wire(), x=2) == {"box": 1, "x": 2}


def test_the_subflow_itself_may_be_one_of_the_ways() -> None:
    assert received("early", s=FAILED, repair=1) == {"repair": 1}
    assert received("early", s=1, repair=not_taken("repair").to_wire()) == {"s": {"end": 1}}


def test_a_step_behind_the_join_that_needs_one_of_the_ways_too_is_no_join() -> None:
    assert received("last", close=1, ship=not_taken("ship").to_wire()) == not_taken("last")


def test_a_skipped_subflow_neither_succeeds_nor_fails() -> None:
    assert received("ship", s=skip("s"), x=2) == {"x": 2}
    assert received("repair", s=skip("s"), x=2) == not_taken("repair")


def test_inside_a_failed_subflow_every_dependent_hands_the_failure_on() -> None:
    receiver = Receiver(SingleStep(slug="b"), {"a": SingleStep(slug="a")}, StepPath("s.inner"))
    found = assemble(receiver, (InputPart("a"),), {InputPart("a"): FAILED})
    assert found == Skipped("handler_failed", StepPath("s"), error="no money")

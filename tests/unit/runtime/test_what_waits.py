"""What a step makes of markers of steps that wait, and what it asks and returns that waits."""

from typing import Any

import pytest

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.steps import JoinStep, SingleStep, Step
from dagster_pgflow.runtime.assembly import (
    Receiver,
    assemble,
    output_of_subflow,
    outputs_of_items,
)
from dagster_pgflow.runtime.conditions import Facts
from dagster_pgflow.runtime.data_map import Received
from dagster_pgflow.runtime.holding import Held
from dagster_pgflow.runtime.input_parts import InputPart
from dagster_pgflow.runtime.iterations import Iteration, IterationEnd
from dagster_pgflow.runtime.mapping import join
from dagster_pgflow.runtime.values import Batch, Skipped, Waiting, from_wire, to_wire
from dagster_pgflow.runtime.waiting_for import Asking, output_after, shown_wait
from dagster_pgflow.runtime.waits import WaitState
from dagster_pgflow.step_errors import DeadlinePassed, WaitEnded
from dagster_pgflow.step_path import RUN, StepPath

ASK = Waiting(StepPath("ask"))
FAILED = Skipped("handler_failed", StepPath("s"), error="broken")
INSIDE = InputPart("s", ("a",)), InputPart("s", ("b",))


def put_together(step: Step, values: dict[InputPart, Any], frame: StepPath = RUN) -> Any:
    steps: dict[str, Step] = {part.dep: SingleStep(slug=part.dep) for part in values}
    return assemble(Receiver(step, steps | {step.slug: step}, frame), tuple(values), values)


def test_a_step_is_held_with_any_dependency_that_waits() -> None:
    with pytest.raises(Held) as held:
        put_together(SingleStep(slug="x"), {InputPart("a"): 1, InputPart("b"): ASK.to_wire()})
    assert held.value.waiting == ASK


@pytest.mark.parametrize(("wait", "given"), [("any", {"a": 1}), (1, {"a": 1}), (2, None)])
def test_a_join_takes_what_is_enough(wait: Any, given: Any) -> None:
    step = JoinStep(slug="x", depends_on=("a", "b", "c"), wait=wait)
    values = {
        InputPart("a"): 1,
        InputPart("b"): ASK.to_wire(),
        InputPart("c"): Skipped("condition_unmet", StepPath("c")).to_wire(),
    }
    if given is None:
        with pytest.raises(Held):
            put_together(step, values)
    else:
        assert put_together(step, values) == given


def test_a_join_that_catches_failures_knows_of_all_its_dependencies() -> None:
    step = JoinStep(slug="x", depends_on=("a", "b"), wait="any", on_failure="y")
    with pytest.raises(Held):
        put_together(step, {InputPart("a"): 1, InputPart("b"): ASK.to_wire()})


def test_the_failure_of_a_subflow_counts_whatever_waits_in_it() -> None:
    values = {INSIDE[0]: ASK.to_wire(), INSIDE[1]: FAILED.to_wire()}
    assert output_of_subflow(StepPath("s"), INSIDE, values) == FAILED
    inside = put_together(
        SingleStep(slug="x"),
        {InputPart("a"): ASK.to_wire(), InputPart("b"): FAILED.to_wire()},
        StepPath("s"),
    )
    assert inside == FAILED


def test_a_subflow_with_a_final_step_that_waits_has_no_output() -> None:
    values = {INSIDE[0]: ASK.to_wire(), INSIDE[1]: 1}
    assert output_of_subflow(StepPath("s"), INSIDE, values) == ASK


def test_a_failed_item_waits_for_the_others_and_a_failed_flow_around_does_not() -> None:
    part, path = InputPart("s", ("a",)), StepPath("t.s")
    own = Skipped("handler_failed", path.at(1), error="broken").to_wire()
    around = Skipped("handler_failed", StepPath("t"), error="broken")
    with pytest.raises(Held):
        outputs_of_items(path, (part,), {part: [ASK.to_wire(), own]}, 2)
    found = outputs_of_items(path, (part,), {part: [ASK.to_wire(), around.to_wire()]}, 2)
    assert found == around


def test_a_list_of_which_one_batch_is_held_is_held() -> None:
    assert join([Batch(0, (1,), 2), ASK], "m") == ASK


def test_the_marker_travels_alone_in_an_iteration_and_out_of_it() -> None:
    assert from_wire(to_wire(ASK)) == ASK
    sent = Iteration(ASK).to_wire()
    assert Iteration.from_wire(sent).flow_input == ASK
    with pytest.raises(Held):
        Iteration.arrived(sent)
    assert IterationEnd.from_wire(IterationEnd(ASK).to_wire()).output == ASK


@pytest.mark.parametrize("key", ["waiting", "skipped", "batch", "json"])
def test_flow_input_that_looks_like_a_marker_begins_an_iteration_as_it_is(key: str) -> None:
    given = {f"dagster-pgflow/{key}": {"step": "x"}}
    assert Iteration.arrived(Iteration(given).to_wire()).flow_input == given


def asking(flow: Flow, given: Any = None) -> Asking:
    facts = Facts("r", lambda: given, lambda _: None)
    step: Any = flow.steps[0]
    return Asking(flow, step, StepPath(step.slug), given, Received(given, {}), facts)


def test_a_long_prompt_is_asked_whole_and_shown_in_part() -> None:
    asked = asking(Flow("f").approval("s", prompt="$input"), "x" * 50_000).asked()
    assert asked.prompt == "x" * 50_000
    assert shown_wait(asked) == f"{'x' * 1_000} …"


@pytest.mark.parametrize(
    ("flow", "given"),
    [
        (Flow("f").approval("s", prompt="$input"), "x" * 100_001),
        (Flow("f").approval("s", prompt="?", key="input"), "x" * 1_001),
        (Flow("f").sleep("s", until="input"), "9" * 10_000),
        (Flow("f").sleep("s", until="input"), "0001-01-01T00:00:00+14:00"),
        (Flow("f").approval("s", prompt="${secret:TOKEN}"), {}),
    ],
)
def test_what_is_too_much_is_no_question(flow: Flow, given: Any) -> None:
    with pytest.raises(WaitEnded, match=r'^Step "s" '):
        asking(flow, given).asked()


def test_a_prompt_that_is_a_value_is_its_text() -> None:
    assert asking(Flow("f").approval("s", prompt="$input"), {"a": [1]}).asked().prompt == (
        '{"a": [1]}'
    )


def test_a_deadline_that_has_passed_is_a_timeout() -> None:
    found = asking(Flow("f").wait("s", signal="paid", deadline=5))
    with pytest.raises(DeadlinePassed, match='waited 5 s in vain for: signal "paid"'):
        output_after(found.step, found.path, found.asked(), WaitState("timed_out", 0.0))


def test_an_answer_that_is_no_json_any_more_is_refused() -> None:
    found = asking(Flow("f").approval("s", prompt="?"))
    deep: Any = 1
    for _ in range(100):
        deep = [deep]
    for answer in ("\x00", deep, 10**1001):
        with pytest.raises(WaitEnded, match='The answer to step "s" cannot be taken'):
            output_after(
                found.step, found.path, found.asked(), WaitState("answered", 0.0, answer=answer)
            )

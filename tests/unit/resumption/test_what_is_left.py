"""Which steps are left of a run in which some wait: as data."""

from collections.abc import Iterable
from datetime import UTC, datetime

from dagster_pgflow.dagster_log.run_events import EarlierRun, RunEvent, RunEventKind, Sent
from dagster_pgflow.reports.report import OpReport, StepHeld, StepWaiting
from dagster_pgflow.resumption.completed import completed_in
from dagster_pgflow.resumption.planned import PlannedInput, PlannedStep
from dagster_pgflow.resumption.remaining import remaining_steps
from dagster_pgflow.step_path import StepPath

NOW = datetime(2030, 1, 1, tzinfo=UTC)
ASK = StepPath("ask")
WAITS = StepWaiting(worker="w", step=ASK, kind="approval", waits_for="?")
HELD = StepHeld(worker="w", step=StepPath("pay"), waiting_step=ASK)

# ask -> pay -> any <- quick
PLAN = [
    PlannedStep("quick", (), is_unresolved=False, dynamic_outputs=()),
    PlannedStep("ask", (), is_unresolved=False, dynamic_outputs=()),
    PlannedStep("pay", (PlannedInput((("ask", "result", None),), False, None),), False, ()),
    PlannedStep(
        "any",
        (
            PlannedInput((("pay", "result", None),), False, None),
            PlannedInput((("quick", "result", None),), False, None),
        ),
        is_unresolved=False,
        dynamic_outputs=(),
    ),
]


def ended(key: str, report: OpReport | None = None) -> RunEvent:
    return RunEvent(1, NOW, "succeeded", key, report, sent=(Sent("result", None),))


def begun(key: str, kind: RunEventKind = "started") -> RunEvent:
    return RunEvent(1, NOW, kind, key)


def left(*runs: tuple[Iterable[str] | None, list[RunEvent]]) -> list[str]:
    earlier = [
        EarlierRun(str(number), None if keys is None else frozenset(keys), events)
        for number, (keys, events) in enumerate(runs)
    ]
    return remaining_steps(PLAN, completed_in(earlier))


FIRST = [ended("quick"), ended("ask", WAITS), ended("pay", HELD), ended("any")]


def test_what_waits_or_is_held_is_left_and_what_went_ahead_is_not() -> None:
    assert left((None, FIRST)) == ["ask", "pay"]


def test_it_stays_so_when_a_further_run_is_killed_in_the_middle_of_that() -> None:
    assert left((None, FIRST), (["ask", "pay"], [begun("ask")])) == ["ask", "pay"]
    assert left((None, FIRST), (["ask", "pay"], [ended("ask"), begun("pay")])) == ["pay"]


def test_it_stays_so_while_the_step_waits_on() -> None:
    assert left((None, FIRST), (["ask", "pay"], FIRST[1:3])) == ["ask", "pay"]


def test_nothing_is_left_when_all_is_done() -> None:
    assert left((None, FIRST), (["ask", "pay"], [ended("ask"), ended("pay")])) == []


def test_what_was_held_is_left_with_what_feeds_it() -> None:
    first = [*FIRST[:3], ended("any", HELD)]
    assert left((None, first)) == ["ask", "pay", "any"]


def test_a_step_that_ran_behind_one_is_left_when_that_one_is_run_again() -> None:
    first = [*FIRST[:3], ended("any", HELD)]
    second = ["ask", "pay", "any"], [ended("ask"), ended("pay"), ended("any")]
    third = ["pay"], [begun("pay")]
    assert left((None, first), second, third) == ["pay", "any"]

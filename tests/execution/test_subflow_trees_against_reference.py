"""Random trees of subflows mean what the rules say: mappings, failure steps, lists of items.

`make test` runs some of them, the same each time. To go through a thousand new ones:
`pytest tests/execution/test_subflow_trees_against_reference.py --hypothesis-profile=deep`.
"""

from collections import Counter

import dagster as dg
from hypothesis import HealthCheck, given, seed, settings

from dagster_pgflow.names import FLOW_INPUT, IO_MANAGER_KEY
from tests.execution.harness import JsonIOManager, job_of
from tests.execution.test_against_reference import LONGEST_RUN_S, QUIET, Test, within
from tests.reference.clock import without_waiting
from tests.reference.drawing import Drawn
from tests.reference.eventful import eventful_trees, told_of
from tests.reference.handlers import Notes, noted, reached
from tests.reference.interpreter import Told
from tests.reference.reports import Reports, assert_reports_tell, assert_told_why
from tests.reference.tables import assert_equal, text_of
from tests.reference.traces import calm

DEEP = settings().max_examples > 100
FLOWS = settings().max_examples if DEEP else 40
SEED = 1


def assert_sound(drawn: Drawn) -> None:
    told = told_of(drawn)
    received: list[object] = []

    def seen(value: object) -> object:
        received.append(value)
        return calm(value)

    notes = Notes(seen=seen)
    success, reports = execute(drawn, notes)
    assert success == (told.status == "completed")
    assert_reports_tell(reports, told)
    assert_same_calls(notes, told)
    assert_told_why(received, told)


def chosen(test: Test) -> Test:
    """Has a short search go through the same flows each time."""
    return test if DEEP else seed(SEED)(test)


@chosen
@settings(max_examples=FLOWS, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(eventful_trees())
def test_a_tree_of_subflows_does_what_the_rules_say(drawn: Drawn) -> None:
    assert_sound(drawn)


def execute(drawn: Drawn, notes: Notes) -> tuple[bool, Reports]:
    """Runs the flow in this process."""
    *others, top = drawn.flows
    outputs = JsonIOManager()
    job = job_of(top, others, notes.handlers(), {IO_MANAGER_KEY: outputs})
    with within(LONGEST_RUN_S), without_waiting(), dg.DagsterInstance.ephemeral() as instance:
        finished = job.execute_in_process(
            run_config={"inputs": {FLOW_INPUT: drawn.input}, **QUIET},
            raise_on_error=False,
            instance=instance,
        )
        return finished.success, Reports.read(finished.all_events, outputs.texts)


def assert_same_calls(notes: Notes, told: Told) -> None:
    wanted = [calm(list(noted(call))) for call in told.calls if reached(call)]
    found = [calm(list(call)) for call in notes.calls]
    assert_equal(Counter(map(text_of, found)), Counter(map(text_of, wanted)))
    assert all(len(keys) == 1 for keys in notes.keys.values())
    assert len({key for [key] in notes.keys.values()}) == len(notes.keys)

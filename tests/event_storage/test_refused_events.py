"""An event that PostgreSQL does not take costs no other event anything."""

from collections.abc import Iterator
from contextlib import suppress

import dagster as dg
import pytest
import sqlalchemy.exc
from dagster import DagsterEventType

from tests.event_storage.deployments import Deployment
from tests.event_storage.events import OTHER_RUN, RUN, event, line, lines_in
from tests.postgres import Session

POISON = """
    alter table event_logs
    add constraint no_poison
    check (event::json ->> 'user_message' <> 'poison' and step_key is distinct from 'poison')
"""


@pytest.fixture
def session(slow: Deployment) -> Iterator[Session]:
    """Looks into the tables from outside."""
    session = Session(slow.dsn)
    session(POISON)
    yield session
    session.close()


def test_its_neighbours_are_stored_and_its_run_hears_of_it_once(
    slow: Deployment, session: Session
) -> None:
    for text in ("one", "poison", "two"):
        slow.instance.store_event(line(text))
    slow.instance.store_event(line("three", OTHER_RUN))
    slow.instance.all_logs(RUN)
    assert lines_in(session) == ["one", "two"]
    assert lines_in(session, OTHER_RUN) == ["three"]
    slow.instance.store_event(line("four", OTHER_RUN))
    with pytest.raises(sqlalchemy.exc.IntegrityError, match="no_poison"):
        slow.instance.store_event(line("five"))
    slow.instance.store_event(line("six"))
    slow.instance.all_logs(RUN)
    assert lines_in(session) == ["one", "two", "five", "six"]
    assert lines_in(session, OTHER_RUN) == ["three", "four"]


def test_one_that_is_stored_at_once_is_refused_at_once(slow: Deployment, session: Session) -> None:
    slow.instance.store_event(line("one"))
    with pytest.raises(sqlalchemy.exc.IntegrityError, match="no_poison"):
        slow.instance.store_event(event(DagsterEventType.ENGINE_EVENT, step_key="poison"))
    assert lines_in(session) == ["one"]


def test_a_run_does_not_change_its_status_over_a_refused_event(
    slow: Deployment, session: Session
) -> None:
    slow.instance.store_event(event(DagsterEventType.STEP_SKIPPED, step_key="poison"))
    with pytest.raises(sqlalchemy.exc.IntegrityError, match="no_poison"):
        slow.instance.store_event(event(DagsterEventType.RUN_SUCCESS))
    assert lines_in(session) == []


def test_a_line_that_is_refused_fails_no_event_of_dagster(
    slow: Deployment, session: Session
) -> None:
    slow.instance.store_event(line("poison"))
    slow.instance.store_event(event(DagsterEventType.STEP_FAILURE, step_key="step"))
    slow.instance.store_event(event(DagsterEventType.RUN_SUCCESS))
    slow.instance.store_event(line("behind"))
    assert lines_in(session) == ["STEP_FAILURE", "PIPELINE_SUCCESS"]


@pytest.mark.parametrize("step_key", ["step", "poison"])
def test_a_run_with_a_refused_event_ends_as_with_dagster_postgres(
    step_key: str, ours: Deployment, plain: Deployment
) -> None:
    @dg.op(name=step_key)
    def log_something(context: dg.OpExecutionContext) -> None:
        context.log.info("before")
        context.log.info("poison")
        context.instance.get_run_by_id(context.run_id)
        context.log.info("behind")

    @dg.job
    def logs_it() -> None:
        log_something()

    ends = []
    for one in (ours, plain):
        session = Session(one.dsn)
        session(POISON)
        with suppress(sqlalchemy.exc.IntegrityError):
            logs_it.execute_in_process(instance=one.instance, raise_on_error=False)
        [run] = one.instance.get_runs()
        said = lines_in(session, run.run_id)
        # Dagster says in an event without words that a line of a handler could not be stored.
        ends.append((run.status, "" in said))
        assert ("behind" in said, "poison" in said) == (step_key == "step", False)
        session.close()
    assert ends[0] == ends[1]


@pytest.mark.parametrize("text", ["nul \x00", "half \ud800 a pair", "ends \udfff", "\x7f\x01"])
def test_odd_characters_are_stored_as_dagster_postgres_stores_them(
    text: str, ours: Deployment, plain: Deployment
) -> None:
    stored = []
    for one in (ours, plain):
        one.instance.store_event(line(text))
        stored.append([entry.user_message for entry in one.instance.all_logs(RUN)])
    assert stored[0] == stored[1] == [text]


@pytest.mark.parametrize("step_key", ["nul \x00", "half \ud800 a pair"])
def test_a_step_key_that_no_text_can_hold_is_refused_by_both(
    step_key: str, ours: Deployment, plain: Deployment
) -> None:
    with pytest.raises(ValueError) as refused:  # noqa: PT011  what the driver says
        plain.instance.store_event(line("odd", step_key=step_key))
    ours.instance.store_event(line("before"))
    ours.instance.store_event(line("odd", step_key=step_key))
    ours.instance.all_logs(RUN)
    with pytest.raises(refused.type):
        ours.instance.store_event(line("behind"))
    said = [entry.user_message for entry in ours.instance.all_logs(RUN)]
    assert said == ["before", "behind"]

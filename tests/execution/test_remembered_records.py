"""Who reads a run under way again and again reads what is new, and sees what the others see."""

import dagster as dg
import pytest

from dagster_pgflow.dagster_log import remembered_records
from dagster_pgflow.dagster_log.event_pages import records_of
from dagster_pgflow.dagster_log.records import EVENT_TYPES
from dagster_pgflow.dagster_log.remembered_records import RememberedRecords


@dg.op
def one() -> int:
    return 1


@dg.op
def two(one: int) -> int:
    return one + 1


@dg.job
def chain() -> None:
    two(one())


@pytest.fixture
def nothing_is_late(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remembered_records, "VISIBLE_AFTER_S", 0.0)


def numbers(records: list[dg.EventLogRecord]) -> list[int]:
    return [record.storage_id for record in records]


@pytest.mark.usefixtures("nothing_is_late")
def test_what_is_read_in_pieces_is_what_is_read_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        remembered = RememberedRecords(instance)
        read: list[int] = []
        ask = instance.get_records_for_run

        def counted(*words: object, **named: object) -> object:
            page = ask(*words, **named)  # type: ignore[arg-type]
            read.extend(record.storage_id for record in page.records)
            return page

        monkeypatch.setattr(instance, "get_records_for_run", counted)
        seen: list[list[int]] = []

        @dg.success_hook
        def look(context: dg.HookContext) -> None:
            records, _ = remembered.of(context.run_id, EVENT_TYPES)
            seen.append(numbers(records))

        run = chain.with_hooks({look}).execute_in_process(instance=instance)
        records, position = remembered.of(run.run_id, EVENT_TYPES)
        times_read = len(read)
        whole, end = records_of(instance, run.run_id, EVENT_TYPES)
    assert numbers(records) == numbers(whole)
    assert position == end
    assert times_read == len(whole), "each record is read once"
    assert seen[0] == numbers(whole)[: len(seen[0])]
    assert len(seen[0]) < len(seen[1]) < len(whole)


def test_what_may_still_appear_is_read_again() -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        remembered = RememberedRecords(instance)
        run = chain.execute_in_process(instance=instance)
        first, _ = remembered.of(run.run_id, EVENT_TYPES)
        late = first[3].storage_id
        # As if it had been given its id before those that were seen, and had not been there.
        del remembered._runs[run.run_id].records[late]
        second, _ = remembered.of(run.run_id, EVENT_TYPES)
    assert numbers(second) == numbers(first)


@pytest.mark.usefixtures("nothing_is_late")
def test_runs_that_nobody_reads_any_more_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remembered_records, "KEPT_S", 0.0)
    with dg.DagsterInstance.ephemeral() as instance:
        remembered = RememberedRecords(instance)
        runs = [chain.execute_in_process(instance=instance).run_id for _ in range(3)]
        for run_id in runs:
            remembered.of(run_id, EVENT_TYPES)
        assert list(remembered._runs) == [runs[-1]]

"""Expenses of which some wait for a person, while all that could be at work on them ends."""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg2
import pytest

from dagster_pgflow import Flow, FlowBuilder
from dagster_pgflow.names import continuation_id
from dagster_pgflow.store.database import Database
from tests.e2e.conftest import RUN_S
from tests.e2e.expenses import expense, nobody_is_asked
from tests.e2e.locations.expense_handlers import FOLDER
from tests.e2e.own_dagster import OwnDagster
from tests.own_server import own_server
from tests.polling import poll

LOCATION = Path(__file__).parent / "locations" / "expenses.py"
ENDS = {
    "small": "pay_at_once",
    "rejected": "refuse",
    "approved": "pay",
    "late": "escalate",
    "deleted": "pay",
}
"""The runs, and the step with which each has to end."""

FLOWS = {"small": "expense", "deleted": "travel"}
ASKED = tuple(name for name in ENDS if name != "small")

DEADLINE_PASSES = """
update pgflow.waits set due_at = clock_timestamp() - interval '1 s' where run_id = %s
"""
ANSWER = "select pgflow.answer(%s, 'ask', %s, %s, %s)"


@dataclass
class Story:
    """What was seen, from the first to the last run.

    Attributes:
        own: The Dagster and the PostgreSQL.
        run_ids: The runs.
        at_work: The processes that executed the first step of runs.
        questions: What was asked: the run, and the sentence.
        in_progress: The runs that Dagster had in progress while runs waited.
        named: The processes whose command lines named a run then, ours or Dagster's.
        refusals: What answers that do not count were told.
        not_deleted: What whoever wanted to delete a flow was told, of which a run waited.
        after_edit: The output of a run of the edited flow.
    """

    own: OwnDagster
    run_ids: dict[str, UUID]
    at_work: list[str]
    questions: dict[UUID, str]
    in_progress: list[Any]
    named: list[str]
    refusals: dict[str, str]
    not_deleted: str = ""
    after_edit: Any = None

    def of(self, name: str, columns: str) -> tuple[Any, ...]:
        """Returns columns of the row of a run."""
        [row] = self.own.sql(
            f"select {columns} from pgflow.runs where run_id = %s", str(self.run_ids[name])
        )
        return row

    def until(self, status: str, *names: str) -> None:
        """Waits until runs are in a status."""

        def are_there() -> bool:
            rows = [self.of(name, "status, error_message") for name in names]
            assert all(row[0] not in ("failed", "cancelled") for row in rows), rows
            return all(row[0] == status for row in rows)

        poll(are_there, timeout=RUN_S, every=0.2)

    def calls(self) -> Counter[tuple[str, str]]:
        """Returns how often which step of which run was executed."""
        lines = (self.own.folder / "calls").read_text().splitlines()
        return Counter((run_id, step) for run_id, step in map(json.loads, lines))


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """Runs wait; the code server is killed, Dagster ends, PostgreSQL too, flows change."""
    folder = tmp_path_factory.mktemp("expenses")
    with own_server() as server:
        own = OwnDagster(server, folder, LOCATION, {FOLDER: str(folder)})
        told = Story(own, {}, [], {}, [], [], {})
        with own.running() as dagster:
            begin(told)
            told.in_progress = dagster.runs_in_progress()
            own.kill_code_server()
            dagster.reload("expenses")
            answer(told, "rejected", {"ok": False}, "eve", "finance")
            told.until("completed", "rejected")
        # What is told to end takes a moment for it.
        poll(lambda: not (own.command_lines() or own.connections()), every=0.2)
        server.restart()
        change_the_flows(told)
        answer_while_dagster_is_away(told)
        with own.running():
            answer(told, "deleted", {"ok": True}, "boss")
            told.run_ids["edited"] = start(own, "expense", 50_000)
            told.until("completed", "edited", *ENDS)
            yield told


def start(own: OwnDagster, slug: str, cents: int) -> UUID:
    given = json.dumps({"cents": cents, "name": "ann"})
    [(run_id,)] = own.sql("select run_id from pgflow.start_flow(%s, %s)", slug, given)
    return UUID(run_id)


def define(own: OwnDagster, *flows: Flow) -> None:
    with closing(Database(own.server.url)) as database:
        FlowBuilder(database).define_flows(flows)


def begin(told: Story) -> None:
    own = told.own
    define(own, expense("expense"), expense("travel"))
    for name in ENDS:
        cents = 500 if name == "small" else 50_000
        told.run_ids[name] = start(own, FLOWS.get(name, "expense"), cents)
    told.at_work = poll(own.run_workers, timeout=RUN_S, every=0.2)
    (own.folder / "gate").touch()
    told.until("completed", "small")
    told.until("waiting", *ASKED)
    poll(lambda: not own.run_workers(), every=0.2)
    told.named = [line for line in own.command_lines().values() if names_a_run(own, line)]
    asked = own.sql("select run_id, prompt from pgflow.v_open_waits")
    told.questions = {UUID(run_id): prompt for run_id, prompt in asked}


def names_a_run(own: OwnDagster, line: str) -> bool:
    rows = own.sql("select run_id::text, dagster_run_id::text from pgflow.runs")
    return any(one in line for row in rows for one in row)


def change_the_flows(told: Story) -> None:
    define(told.own, nobody_is_asked("expense"))
    with pytest.raises(psycopg2.Error) as refused:
        told.own.sql("select pgflow.delete_flow('travel')")
    told.not_deleted = str(refused.value)
    told.own.sql("select pgflow.delete_flow('travel', force => true)")


def answer_while_dagster_is_away(told: Story) -> None:
    refused = told.refusals
    refused["schema"] = refusal(told, "approved", {"ok": "yes"}, "boss")
    refused["stranger"] = refusal(told, "approved", {"ok": True}, "eve")
    answer(told, "approved", {"ok": True}, "boss")
    refused["second"] = refusal(told, "approved", {"ok": False}, "eve", "finance")
    told.own.sql(DEADLINE_PASSES, str(told.run_ids["late"]))
    refused["late"] = refusal(told, "late", {"ok": True}, "boss")


def answer(told: Story, name: str, value: Any, by: str, acting_as: str | None = None) -> None:
    told.own.sql(ANSWER, str(told.run_ids[name]), json.dumps(value), by, acting_as)


def refusal(told: Story, name: str, value: Any, by: str, acting_as: str | None = None) -> str:
    """Answers with the command, and returns why that does not count."""
    words = ["answer", str(told.run_ids[name]), "ask", json.dumps(value), "--by", by]
    called = told.own.call(*words, *(["--as", acting_as] if acting_as else []))
    assert called.returncode == 1, called.stdout
    return called.stderr


def test_a_small_sum_is_paid_without_a_question(story: Story) -> None:
    assert story.questions.keys() == {story.run_ids[name] for name in ASKED}
    assert set(story.questions.values()) == {"May ann spend 50000 cents?"}


def test_nothing_is_left_of_runs_that_wait_but_rows(story: Story) -> None:
    assert story.at_work != []
    assert (story.named, story.in_progress) == ([], [])


def test_what_is_no_answer_is_refused_at_once(story: Story) -> None:
    told = story.refusals
    assert "does not take this answer" in told["schema"]
    assert 'may be answered by boss, finance, and "eve" is none of them.' in told["stranger"]
    assert "was answered before, by boss at " in told["second"]
    assert "could be answered until " in told["late"]


def test_a_flow_is_not_deleted_by_mistake_while_a_run_of_it_waits(story: Story) -> None:
    assert 'Flow "travel" has 1 run under way; wait for the end' in story.not_deleted


@pytest.mark.parametrize("name", ENDS)
def test_a_run_ends_by_the_definition_it_began_with(story: Story, name: str) -> None:
    assert story.of(name, "output, flow_version") == ({"done": {ENDS[name]: ENDS[name]}}, 1)
    assert story.of("edited", "output, flow_version") == ({"pay_all": "pay_all"}, 2)


def test_no_step_is_executed_twice(story: Story) -> None:
    expected = Counter({(str(story.run_ids["edited"]), "pay_all"): 1})
    for name, last in ENDS.items():
        expected.update((str(story.run_ids[name]), step) for step in ("read", last))
    assert story.calls() == expected


def test_a_run_that_waited_goes_on_in_one_further_run_of_dagster(story: Story) -> None:
    columns = "run_id::text, number, dagster_run_id::text"
    further = story.own.sql(f"select {columns} from pgflow.run_continuations")
    asked = [story.run_ids[name] for name in ASKED]
    assert sorted(further) == sorted(
        (str(run_id), 1, str(continuation_id(run_id, 1))) for run_id in asked
    )

"""Workflow documents, from the file to the rows: loaded by the program, started by SQL, run."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.e2e.conftest import Deployment, begins_with
from tests.polling import poll
from tests.postgres import Session

Finished = Callable[..., dict[str, Any]]

DOCUMENTS = sorted((Path(__file__).parent / "documents").glob("*.json"))
RUNS = {
    "sequence": ("parcel", {"kilos": 2}),
    "parallel": ("routes", {"to": "Kiel"}),
    "fan-in": ("stock", {"north": 5, "south": 6, "harbour": 7}),
    "loop that is done": ("headline", {"talent": 0.5}),
    "loop that gives up": ("headline", {"talent": 0.1}),
    "branch by a rule": ("loan", {"score": 90}),
    "branch by default": ("loan", {"score": 5}),
}
TABLES = {
    "runs": "id",
    "step_states": "step_path",
    "step_tasks": "step_path, task_index",
    "node_executions": "step_path, task_index, attempt",
    "event_log": "sequence_num",
    "applied_keys": "op_key",
    "run_counter_snapshots": "sequence_num",
    "pending_tokens": "node, from_node",
    "loop_state": "loop_path",
    "run_statistics": "run_id",
    "worker_registry": "worker_id",
}


@dataclass(frozen=True)
class Started:
    """The runs of the documents.

    Attributes:
        run_ids: They, by what they show.
        at_first: What SQL said of each before Dagster had it: the counter, whether it was over,
            how many active runs it was.
    """

    run_ids: dict[str, str]
    at_first: dict[str, tuple[Any, ...]]


class RunRecords:
    """What the tables say about a run that is over."""

    def __init__(self, sql: Session, run_id: str) -> None:
        self._sql = sql
        self._run_id = run_id

    def steps(self) -> dict[str, Any]:
        """Returns the outputs of the steps that completed, and why the others did not."""
        rows = self._sql(
            "select step_path, status, coalesce(skip_reason, error_message), output"
            " from pgflow.step_states where run_id = %s",
            self._run_id,
        )
        return {
            path: output if status == "completed" else why for path, status, why, output in rows
        }

    def tokens(self) -> list[str]:
        """Returns the tokens that were sent (`a > b`) and used up (`a, b >> c`), in their order."""
        rows = self._sql(
            "select event_type, event_data from pgflow.event_log"
            " where run_id = %s and event_type like 'token.%%' order by sequence_num",
            self._run_id,
        )
        return [
            f"{data['from_node']} > {data['to_node']}"
            if kind == "token.emitted"
            else f"{', '.join(map(str, data['from_nodes']))} >> {data['to_node']}"
            for kind, data in rows
        ]

    def path(self) -> list[str]:
        """Returns the edges that the run took, in their order."""
        rows = self._sql(
            "select from_node, to_node, after from pgflow.run_path(%s) order by sequence_num",
            self._run_id,
        )
        assert {after for start, _, after in rows if start is not None} <= {"completed", None}
        return [f"{start or 'begin'} > {end or 'end'}" for start, end, _ in rows]

    def statistics(self) -> tuple[int, ...]:
        """Returns tokens sent and used up; steps executed, failed, skipped; retries."""
        [row] = self._sql(
            "select tokens_emitted, tokens_consumed, nodes_executed, nodes_failed, nodes_skipped,"
            " retries from pgflow.run_statistics where run_id = %s",
            self._run_id,
        )
        return row

    def events(self, kinds: str) -> list[tuple[Any, ...]]:
        """Returns the events of some kinds: the step, and what they say."""
        return self._sql(
            "select correlation_id, event_data from pgflow.event_log"
            " where run_id = %s and event_type like %s order by sequence_num",
            self._run_id,
            kinds,
        )

    def loop(self) -> tuple[Any, ...]:
        """Returns the row of the one loop."""
        [row] = self._sql(
            "select loop_path, current_iteration, max_iterations, status, ended_by,"
            " completed_at >= started_at from pgflow.loop_state where run_id = %s",
            self._run_id,
        )
        return row

    def rows(self) -> dict[str, list[dict[str, Any]]]:
        """Returns every row of the run."""
        return {
            table: self._sql.records(
                f"select * from pgflow.{table} where run_id = %s order by {order}", self._run_id
            )
            for table, order in TABLES.items()
        }


def begin_all_documents(deployment: Deployment, sql: Session) -> Started:
    loaded = deployment.call(sql, "load", *map(str, DOCUMENTS))
    assert loaded.returncode == 0, loaded.stderr
    run_ids, at_first = {}, {}
    for name, (slug, given) in RUNS.items():
        with sql.transaction():
            run_id = sql.value(
                "select run_id from pgflow.start_flow(%s, %s)", slug, json.dumps(given)
            )
            [at_first[name]] = sql(
                "select pgflow.get_run_counter(run_id), pgflow.is_run_complete(run_id),"
                " (select count(*) from pgflow.v_active_runs as active"
                "  where active.run_id = run.run_id)"
                " from pgflow.runs as run where run_id = %s",
                run_id,
            )
        run_ids[name] = str(run_id)
    return Started(run_ids, at_first)


pytestmark = begins_with(begin_all_documents)


def records_of(name: str, deployment: Deployment, begun: Started, finished: Finished) -> RunRecords:
    """Waits for the run that shows something, and returns what the tables say about it."""
    run = finished(deployment.sql, begun.run_ids[name])
    assert (run["status"], run["error_message"], run["remaining_steps"]) == ("completed", None, 0)
    return RunRecords(deployment.sql, begun.run_ids[name])


def test_a_sequence(deployment: Deployment, begun: Started, finished: Finished) -> None:
    sequence = records_of("sequence", deployment, begun, finished)
    assert sequence.steps() == {
        "weigh": 2000,
        "price": {"cents": 500, "grams": 2000},
        "label": "500 cents",
    }
    assert sequence.tokens() == [
        "None > weigh",
        "weigh > price",
        "None >> weigh",
        "price > label",
        "weigh >> price",
        "label > None",
        "price >> label",
        "label >> None",
    ]
    assert sequence.statistics() == (4, 4, 3, 0, 0, 0)


def test_arms_side_by_side(deployment: Deployment, begun: Started, finished: Finished) -> None:
    parallel = records_of("parallel", deployment, begun, finished)
    assert parallel.steps() == {
        "request": "Kiel",
        "both": "Kiel",
        "by_road": "road to Kiel",
        "by_rail": "rail to Kiel",
        "choose": ["road to Kiel", "rail to Kiel"],
    }
    why = 'goes on with "by_road", "by_rail" since `true` is true'
    assert parallel.events("branch.taken") == [
        ("both", {"rule": 0, "taken": ["by_road", "by_rail"], "why": why})
    ]
    assert {"both >> by_road", "both >> by_rail"} <= set(parallel.tokens())
    assert parallel.statistics() == (7, 7, 5, 0, 0, 0)


def test_three_arms_that_meet(deployment: Deployment, begun: Started, finished: Finished) -> None:
    fan_in = records_of("fan-in", deployment, begun, finished)
    counted = {"north": 5, "south": 6, "harbour": 7}
    assert fan_in.steps() == {**counted, "counted": counted, "report": 18}
    tokens = fan_in.tokens()
    [meeting] = [token for token in tokens if token.endswith(">> counted")]
    assert sorted(meeting.removesuffix(" >> counted").split(", ")) == ["harbour", "north", "south"]
    # Nothing goes on before the last of the three is there.
    assert tokens.index("counted > report") > max(
        tokens.index(f"{arm} > counted") for arm in counted
    )
    assert fan_in.statistics() == (8, 8, 5, 0, 0, 0)


def test_a_loop_that_is_done(deployment: Deployment, begun: Started, finished: Finished) -> None:
    loop = records_of("loop that is done", deployment, begun, finished)
    first, second = {"draft": 1, "score": 0.5}, {"draft": 2, "score": 1.0}
    assert loop.steps() == {
        "again": second,
        "again[1].write": 1,
        "again[1].judge": first,
        "again[1].again": first,
        "again[2].write": 2,
        "again[2].judge": second,
        "again[2].again": second,
        "print": 2,
        "discard": "not_taken",
    }
    assert loop.loop() == ("again", 2, 3, "completed", "break", True)
    assert [data for _, data in loop.events("loop.%")] == [
        {"max_iterations": 3},
        {"again": True, "iteration": 1},
        {"again": False, "iteration": 2},
        {"taken": ["print"], "ended_by": "break", "iteration": 2},
    ]
    assert loop.statistics() == (11, 11, 7, 0, 1, 0)
    shown = deployment.call(deployment.sql, "status", begun.run_ids["loop that is done"]).stdout
    assert "Steps:  7 executed, 1 skipped, 0 tokens left" in shown
    assert "2 of 3 iterations, break" in shown


def test_a_loop_that_gives_up(deployment: Deployment, begun: Started, finished: Finished) -> None:
    loop = records_of("loop that gives up", deployment, begun, finished)
    steps = loop.steps()
    assert (steps["discard"], steps["print"]) == (3, "not_taken")
    assert loop.loop() == ("again", 3, 3, "completed", "timeout", True)
    assert loop.statistics() == (15, 15, 10, 0, 1, 0)


def test_a_branch_by_a_rule(deployment: Deployment, begun: Started, finished: Finished) -> None:
    branch = records_of("branch by a rule", deployment, begun, finished)
    assert branch.steps() == {
        "rate": {"score": 90},
        "decide": {"score": 90},
        "grant": "granted",
        "thank": "thanks",
        "examine": "not_taken",
        "refuse": "not_taken",
        "answer": {"grant": "granted"},
    }
    why = 'goes on with "grant", "thank" since `output.score > 80` is true (output.score is 90)'
    assert branch.events("branch.taken") == [
        ("decide", {"rule": 0, "taken": ["grant", "thank"], "why": why})
    ]
    assert not any("refuse" in token or "examine" in token for token in branch.tokens())
    assert branch.statistics() == (7, 7, 5, 0, 2, 0)


def test_a_branch_by_default(deployment: Deployment, begun: Started, finished: Finished) -> None:
    branch = records_of("branch by default", deployment, begun, finished)
    assert branch.steps()["answer"] == {"refuse": "refused"}
    [(step, taken)] = branch.events("branch.taken")
    assert (step, taken["rule"], taken["taken"]) == ("decide", "default", ["refuse"])
    # Of each rule it says what it was asked, and of which value.
    assert taken["why"].startswith('goes on with "refuse", by default, since ')
    assert taken["why"].count("is false (output.score is 5)") == 2
    assert branch.statistics() == (5, 5, 4, 0, 3, 0)


def test_a_run_is_complete_when_its_counter_is_0_and_not_before(
    deployment: Deployment, begun: Started, finished: Finished
) -> None:
    assert set(begun.at_first.values()) == {(None, False, 1)}
    for name, run_id in begun.run_ids.items():
        records_of(name, deployment, begun, finished)
        [over] = deployment.sql(
            "select pgflow.get_run_counter(run_id), pgflow.is_run_complete(run_id),"
            " (select sum(delta) from pgflow.applied_keys as key where key.run_id = run.run_id),"
            " (select counter from pgflow.run_counter_snapshots as snapshot"
            "  where snapshot.run_id = run.run_id order by sequence_num desc limit 1),"
            " (select count(*) from pgflow.pending_tokens as token where token.run_id = run.run_id)"
            " from pgflow.runs as run where run_id = %s",
            run_id,
        )
        assert over == (0, True, 0, 0, 0)
    active = deployment.sql.column("select run_id::text from pgflow.v_active_runs")
    assert not set(active) & set(begun.run_ids.values())


def test_the_path_of_each_run(deployment: Deployment, begun: Started, finished: Finished) -> None:
    paths = {name: records_of(name, deployment, begun, finished).path() for name in RUNS}
    assert paths["sequence"] == ["begin > weigh", "weigh > price", "price > label", "label > end"]
    begin = ["begin > request", "request > both", "both > by_road", "both > by_rail"]
    assert paths["parallel"][:4] == begin
    assert sorted(paths["parallel"][4:6]) == ["by_rail > choose", "by_road > choose"]
    assert paths["parallel"][6:] == ["choose > end"]
    assert sorted(paths["fan-in"][:6]) == sorted(
        edge
        for arm in ("north", "south", "harbour")
        for edge in (f"begin > {arm}", f"{arm} > counted")
    )
    assert paths["fan-in"][6:] == ["counted > report", "report > end"]
    assert paths["loop that is done"] == [
        "begin > again",
        *_edges_of_an_iteration(1),
        *_edges_of_an_iteration(2),
        "again > print",
        "print > end",
    ]
    assert len(paths["loop that gives up"]) == 15
    assert paths["loop that gives up"][-6:] == [
        *_edges_of_an_iteration(3),
        "again > discard",
        "discard > end",
    ]
    assert sorted(paths["branch by a rule"]) == [
        "answer > end",
        "begin > rate",
        "decide > grant",
        "decide > thank",
        "grant > answer",
        "rate > decide",
        "thank > end",
    ]
    assert paths["branch by default"] == [
        "begin > rate",
        "rate > decide",
        "decide > refuse",
        "refuse > answer",
        "answer > end",
    ]


def _edges_of_an_iteration(number: int) -> list[str]:
    write, judge, again = (f"again[{number}].{step}" for step in ("write", "judge", "again"))
    return [f"again > {write}", f"{write} > {judge}", f"{judge} > {again}", f"{again} > again"]


def test_events_that_the_sensor_is_given_again_change_nothing(
    deployment: Deployment, begun: Started, finished: Finished
) -> None:
    sql, run_ids = deployment.sql, list(begun.run_ids.values())
    runs = [records_of(name, deployment, begun, finished) for name in RUNS]
    before = [run.rows() for run in runs]
    mine = (
        "dagster_run_id in (select dagster_run_id from pgflow.runs where run_id = any(%s::uuid[]))"
    )
    [[looks]] = sql(f"select sum(looks) from pgflow.run_cursors where {mine}", run_ids)
    sql(
        "update pgflow.run_cursors set position = null, is_final = false, due_at = now()"
        f" where {mine}",
        run_ids,
    )
    poll(
        lambda: sql(
            f"select 1 from pgflow.run_cursors where {mine} having sum(looks) >= %s",
            run_ids,
            looks + len(runs),
        ),
        timeout=300,
    )
    assert [run.rows() for run in runs] == before


def test_rows_that_were_lost_come_back_as_they_were(
    deployment: Deployment, begun: Started, finished: Finished
) -> None:
    sql, run_ids = deployment.sql, list(begun.run_ids.values())
    runs = [records_of(name, deployment, begun, finished) for name in RUNS]
    before = [run.rows() for run in runs]
    for table in TABLES.keys() - {"runs", "event_log"}:
        sql(f"delete from pgflow.{table} where run_id = any(%s::uuid[])", run_ids)
    sql("update pgflow.runs set output = null where run_id = any(%s::uuid[])", run_ids)

    rebuilt = deployment.call(sql, "rebuild")

    assert rebuilt.returncode == 0, rebuilt.stderr
    assert [run.rows() for run in runs] == before

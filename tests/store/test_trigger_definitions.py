"""What a trigger may be, in SQL and in Python."""

from typing import Any

import psycopg2
import pytest

from dagster_pgflow.errors import InvalidFlow, StoreRefused
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.store.flows import FlowBuilder
from dagster_pgflow.store.triggers import Triggers
from tests.postgres import Session
from tests.store.triggering import triggers

__all__ = ["triggers"]


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"name": "1"}, "invalid-slug"),
        ({"name": "run"}, "invalid-slug"),
        ({"on_event": "run.waiting"}, "wrong-value"),
        ({"on_event": "signal"}, "missing-field"),
        ({"on_event": "signal", "signal_name": "s", "source_flow": "a"}, "unknown-field"),
        ({"on_event": "asset.materialized", "asset_key": ""}, "missing-field"),
        ({"asset_key": "k"}, "unknown-field"),
        ({"source_flow": "b"}, "trigger-of-itself"),
        ({"condition": ""}, "invalid-expression"),
        ({"condition": "event.x +"}, "invalid-expression"),
        ({"condition": "input.x"}, "invalid-expression"),
        ({"input": {"x": "$nodes.a"}}, "invalid-reference"),
    ],
)
def test_python_refuses_what_can_start_nothing(
    triggers: Triggers, sql: Session, fields: dict[str, Any], code: str
) -> None:
    given = {"name": "t", "on_event": "run.completed", "target_flow": "b"} | fields
    with pytest.raises(InvalidFlow) as refused:
        triggers.create(**given)
    assert code in {problem.code for problem in refused.value.problems}
    assert sql("select from pgflow.triggers") == []


@pytest.mark.parametrize(
    "row",
    [
        {"name": "1"},
        {"on_event": "run.waiting"},
        {"on_event": "signal"},
        {"on_event": "signal", "signal_name": ""},
        {"on_event": "asset.materialized"},
        {"on_event": "signal", "signal_name": "s", "source_flow": "a"},
        {"asset_key": "k"},
        {"source_flow": "b"},
        {"condition": "  "},
        {"target_flow": "nowhere"},
        {"source_flow": "nowhere"},
        {"signal_name": "x" * 1001, "on_event": "signal"},
    ],
)
def test_sql_refuses_what_it_can_know(
    triggers: Triggers, sql: Session, row: dict[str, str]
) -> None:
    row = {"name": "t", "on_event": "run.completed", "target_flow": "b"} | row
    assert triggers.list() == ()
    with pytest.raises((psycopg2.errors.IntegrityError, psycopg2.errors.UndefinedObject)):
        sql(f"insert into pgflow.triggers ({', '.join(row)}) values %s", tuple(row.values()))


def test_creating_it_again_returns_it_and_another_of_its_name_is_refused(
    triggers: Triggers,
) -> None:
    first = triggers.create("t", "run.completed", "b", source_flow="a", input={"x": [1]})
    assert triggers.create("t", "run.completed", "b", source_flow="a", input={"x": [1]}) == first
    with pytest.raises(InvalidFlow, match='"t" already exists'):
        triggers.create("t", "run.failed", "b", source_flow="a")
    with pytest.raises(InvalidFlow, match=r'(?s)Trigger "u".*Flow "nowhere" does not exist'):
        triggers.create("u", "run.failed", "nowhere")
    with pytest.raises(StoreRefused, match='no trigger "u"'):
        triggers.delete("u")
    with pytest.raises(StoreRefused, match='no trigger "u"'):
        triggers.enable("u", enabled=False)
    triggers.delete("t")
    assert triggers.list() == ()


def test_a_circle_without_conditions_is_told_when_it_closes(
    triggers: Triggers, sql: Session
) -> None:
    triggers.create("ab", "run.completed", "b", source_flow="a")
    triggers.create("bc", "run.failed", "c", source_flow="b")
    assert [found.problems for found in triggers.list()] == [(), ()]
    closing = triggers.create("ca", "run.completed", "a", source_flow="c")
    assert [problem.code for problem in closing.problems] == ["trigger-circle"]
    assert all(found.problems for found in triggers.list())
    triggers.enable("bc", enabled=False)
    assert [found.problems for found in triggers.list()] == [(), (), ()]
    sql(
        "update pgflow.triggers set enabled = true, condition = 'event.output.n > 1'"
        " where name = 'bc'"
    )
    assert [found.problems for found in triggers.list()] == [(), (), ()]


def test_two_that_look_at_all_other_flows_start_each_other(triggers: Triggers) -> None:
    assert triggers.create("to_a", "run.completed", "a").problems == ()
    assert [p.code for p in triggers.create("to_b", "run.completed", "b").problems] == [
        "trigger-circle"
    ]


def test_a_flow_that_starts_others_is_deleted_by_force_and_its_triggers_with_it(
    triggers: Triggers, builder: FlowBuilder
) -> None:
    triggers.create("ab", "run.completed", "b", source_flow="a")
    with pytest.raises(StoreRefused, match=r'start "b" \(trigger "ab"\)'):
        builder.delete_flow("a")
    builder.delete_flow("b")
    assert triggers.list() == ()
    builder.define_flow(Flow("b").step("s"))
    triggers.create("ab", "run.completed", "b", source_flow="a")
    builder.delete_flow("a", force=True)
    assert triggers.list() == ()

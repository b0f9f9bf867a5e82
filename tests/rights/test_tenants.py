"""Tenants in one store: each sees, starts and changes its own flows alone."""

import json
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple
from uuid import uuid4

import psycopg2
import pytest

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.guards import GUARDS
from tests.execution.projecting import World, world
from tests.postgres import Session, role_name

__all__ = ["world"]

HANDLERS = {"listed": lambda _: [1, 2], "same": lambda value: value}
HOOK = {"url": "https://example.org/hook", "secret": "mine"}
OPEN_TO_ALL = {"store", "migrations"}
NOT_OF_A_TENANT = {
    "asset_cursors",
    "dagster_logs",
    "projection_cursors",
    "live_runs",
    "live_workers",
    "run_cursors",
    "step_outputs",
    "tenants",
    "unpublished_flows",
}
OF_RUNS_WITH_LOOPS = {"loop_state", "pending_tokens"}


class Tenants(NamedTuple):
    """Two tenants with a user each, and what belongs to them."""

    ann: Session
    bob: Session
    owner: Session
    world: World


def flows_of(tenant: str) -> tuple[Flow, ...]:
    tags = {"tenant": tenant}
    inner = Flow(f"{tenant}_inner", tags=tags).step("s", handler="same")
    outer = (
        Flow(f"{tenant}_outer", tags=tags, on_event=HOOK)
        .step("listed", handler="listed")
        .map("m", depends_on="listed", handler="same")
        .subflow("inner", inner, depends_on="m", input={"value": "$nodes.m"})
    )
    return inner, outer.schedule("daily", "0 0 * * *")


@pytest.fixture
def tenants(
    world: World, database_url: str, sql: Session, new_session: Callable[[], Session]
) -> Iterator[Tenants]:
    prefix = f"tenant_{uuid4().hex[:12]}"
    users = []
    sql("insert into pgflow.tenants values (%s, '*')", role_name("worker"))
    sql("insert into pgflow.tenants values (%s, '*')", role_name("author"))
    for tenant in ("ann", "bob"):
        user = f"{prefix}_{tenant}"
        # The role of the tenant, and a user who has it.
        sql(f"create role {user}_role nologin; create role {user} login in role {user}_role")
        for role in ("starter", "reader"):
            sql(f"grant {role_name(role)} to {user}_role")
        sql(f"grant execute on all functions in schema pgflow to {user}_role")
        sql(
            f"grant insert, update, delete on pgflow.flows, pgflow.steps, pgflow.deps,"
            f" pgflow.schedules, pgflow.triggers, pgflow.workflows to {user}_role"
        )
        sql("insert into pgflow.tenants values (%s, %s)", f"{user}_role", tenant)
        world.define(*flows_of(tenant))
        session = new_session()
        session(f"set session authorization {user}")
        users.append(session)
        sql(
            "select pgflow.create_trigger(%s, 'run.completed', %s, source_flow => %s)",
            f"{tenant}_t",
            f"{tenant}_inner",
            f"{tenant}_outer",
        )
    world.define(Flow("of_all").step("s", handler="same"))
    sql("select pgflow.isolate_tenants()")
    yield Tenants(users[0], users[1], sql, world)
    for user in (f"{prefix}_ann", f"{prefix}_bob"):
        sql(f"drop owned by {user}, {user}_role; drop role {user}; drop role {user}_role")


def with_runs(tenants: Tenants) -> None:
    """Runs the outer flow of each, and leaves a request of each."""
    world = tenants.world
    for user, tenant in ((tenants.ann, "ann"), (tenants.bob, "bob")):
        run_id = user.value(f"select run_id from pgflow.start_flow('{tenant}_outer')")
        [asked] = world.waiting.pending(10)
        assert str(asked.run_id) == str(run_id)
        given = world.waiting.requested_input(str(asked.run_id))
        world.run(asked.flow_slug, HANDLERS, given, run_id=asked.run_id)
        world.settle()
    for user, tenant in ((tenants.ann, "ann"), (tenants.bob, "bob")):
        user(f"select pgflow.start_flow('{tenant}_inner')")
    world.run("of_all", HANDLERS, {})
    world.settle()
    for tenant in ("ann", "bob"):
        with_guarded_calls(tenants.owner, tenant)
        with_waits(tenants.owner, tenant)


def with_guarded_calls(session: Session, tenant: str) -> None:
    """Leaves a call under way past each guard of a tenant."""
    guards = {
        name: guard().model_dump() | {"key": f"{tenant}_outer.s"} for name, guard in GUARDS.items()
    }
    entered = "pgflow.enter_call(%s, %s, gen_random_uuid(), %s)"
    asked = (tenant, json.dumps(guards), f"{tenant}_outer")
    session(f"select {entered}", *asked)
    session("select pgflow.note_outcome(%s, %s, true, 0, false, now())", tenant,
            json.dumps(guards["circuit_breaker"]))  # fmt: skip


def with_waits(session: Session, tenant: str) -> None:
    """Leaves a step that waits, a signal, and a run that has gone on."""
    session(
        "insert into pgflow.waits (run_id, step_path, kind, flow_slug, step_slug, tenant)"
        " select run_id, 's', 'approval', flow_slug, 's', %s from pgflow.runs"
        " where flow_slug = %s and status = 'queued'",
        tenant,
        f"{tenant}_inner",
    )
    session(
        "insert into pgflow.signals (name, key, tenants, expires_at)"
        " values ('paid', %s, array[%s], now() + interval '1 day')",
        f"{tenant}_key",
        tenant,
    )
    session(
        "insert into pgflow.run_continuations (run_id, number, kind)"
        " select run_id, 1, 'resume' from pgflow.runs where flow_slug = %s",
        f"{tenant}_inner",
    )


def rows_of(session: Session, relation: str) -> set[str]:
    return set(session.column(f"select row_to_json(r)::text from pgflow.{relation} as r"))


def relations(owner: Session) -> list[str]:
    return owner.column(
        "select relname::text from pg_class"
        " where relnamespace = 'pgflow'::regnamespace and relkind in ('r', 'v')"
    )


def test_each_table_and_each_view_shows_a_tenant_its_own_and_nothing_else(
    tenants: Tenants,
) -> None:
    with_runs(tenants)
    empty = []
    for relation in set(relations(tenants.owner)) - OPEN_TO_ALL:
        if relation == "tenants":
            continue
        ann, bob = rows_of(tenants.ann, relation), rows_of(tenants.bob, relation)
        everything = rows_of(tenants.owner, relation)
        assert ann <= everything
        assert bob <= everything
        assert not ann & bob, relation
        for mine, other in ((ann, "bob"), (bob, "ann")):
            assert not [row for row in mine if f"{other}_" in row or "of_all" in row], relation
        if not (ann and bob):
            empty.append(relation)
    told_of_trouble = {"v_failed_executions"}
    assert set(empty) - OF_RUNS_WITH_LOOPS - told_of_trouble == NOT_OF_A_TENANT - {"tenants"}


def test_the_functions_that_tell_of_runs_and_flows_tell_a_tenant_of_its_own(
    tenants: Tenants,
) -> None:
    with_runs(tenants)
    [(run_id, subrun_id)] = tenants.owner(
        "select run_id, subrun_id from pgflow.runs join pgflow.subruns on parent_run_id = id"
        " where flow_slug = 'bob_outer'"
    )
    asked: list[tuple[str, tuple[Any, ...]]] = [
        ("select * from pgflow.child_trace(%s)", (subrun_id,)),
        ("select * from pgflow.run_path(%s)", (run_id,)),
        ("select 1 where pgflow.get_run_counter(%s) is not null", (run_id,)),
        ("select 1 where pgflow.is_run_complete(%s) is not null", (run_id,)),
        ("select 1 where pgflow.flow_definition(%s) is not null", ("bob_outer",)),
        ("select 1 from pgflow.newest_version(%s) where version is not null", ("bob_outer",)),
    ]
    for statement, parameters in asked:
        assert tenants.bob(statement, *parameters) != [], statement
        assert tenants.ann(statement, *parameters) == [], statement


@pytest.mark.parametrize(
    "statement",
    [
        "select pgflow.start_flow('bob_inner')",
        "select pgflow.create_flow('bob_inner')",
        "select pgflow.create_flow(p_workflow_slug => 'bob_inner')",
        "select pgflow.add_step('bob_inner', 'more')",
        "select pgflow.add_step(p_workflow_slug => 'bob_inner', p_step_slug => 'more')",
        'select pgflow.replace_flow(\'{"slug": "bob_inner"}\')',
        "select pgflow.publish_flow('bob_inner')",
        "select pgflow.delete_flow('bob_inner', true, true)",
        """select pgflow.add_step(
        'ann_inner', 'bobs', step_type => 'subflow', subflow_slug => 'bob_inner')""",
        """insert into pgflow.steps (flow_slug, step_slug, step_type, subflow_slug)
        values ('ann_inner', 'bobs', 'subflow', 'bob_inner')""",
        "insert into pgflow.steps (flow_slug, step_slug) values ('bob_inner', 'anns')",
        """insert into pgflow.deps (flow_slug, dep_slug, step_slug)
        values ('bob_outer', 'listed', 'inner')""",
        """insert into pgflow.schedules (flow_slug, schedule_slug, cron)
        values ('bob_inner', 'anns', '0 0 * * *')""",
        "select pgflow.create_trigger('new', 'run.completed', 'bob_inner')",
        """select pgflow.create_trigger(
        'new', 'run.failed', 'ann_inner', source_flow => 'bob_inner')""",
        "select pgflow.create_trigger('bob_t', 'run.failed', 'bob_inner')",
        "select pgflow.delete_trigger('bob_t')",
        "select pgflow.enable_trigger('bob_t', false)",
        "select pgflow.create_trigger('new', 'asset.materialized', 'ann_inner', asset_key => 'k')",
        """insert into pgflow.triggers (name, on_event, target_flow)
        values ('new', 'run.completed', 'bob_inner')""",
        """insert into pgflow.triggers (name, on_event, target_flow, source_flow)
        values ('new', 'run.completed', 'ann_inner', 'bob_inner')""",
        "update pgflow.triggers set source_flow = 'bob_inner' where name = 'ann_t'",
        "update pgflow.triggers set target_flow = 'bob_inner' where name = 'ann_t'",
        """select pgflow.note_asset_events('[{"source": "x", "timestamp": 0, "event": {}}]')""",
        "insert into pgflow.flows (flow_slug, tags) values ('new', '{\"tenant\": \"bob\"}')",
        "insert into pgflow.flows (flow_slug, tags) values ('new', '{\"tenant\": \"*\"}')",
        "update pgflow.flows set tags = '{\"tenant\": \"bob\"}' where flow_slug = 'ann_inner'",
        "select pgflow.create_flow('new', tags => '{\"tenant\": \"bob\"}')",
        "select pgflow.start_flow('of_all')",
        "insert into pgflow.tenants values (session_user, 'bob')",
        "select pgflow.isolate_tenants(false)",
        "alter table pgflow.runs disable row level security",
    ],
)
def test_a_tenant_is_refused_what_belongs_to_another(tenants: Tenants, statement: str) -> None:
    before = tenants.owner("select * from pgflow.flow_versions")
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        tenants.ann(statement)
    assert tenants.owner("select * from pgflow.flow_versions") == before
    assert tenants.owner("select count(*) from pgflow.runs") == [(0,)]


def test_changes_of_rows_that_one_does_not_see_change_nothing(tenants: Tenants) -> None:
    before = {
        name: rows_of(tenants.owner, name) for name in ("flows", "steps", "deps", "schedules")
    }
    for name in before:
        tenants.ann(f"delete from pgflow.{name} where flow_slug like 'bob%'")
        tenants.ann(f"update pgflow.{name} set created_at = now() where flow_slug like 'bob%'")
    tenants.ann("update pgflow.workflows set timeout = 1 where workflow_slug like 'bob%'")
    assert before == {name: rows_of(tenants.owner, name) for name in before}


def test_what_a_tenant_defines_is_its_own_without_a_word(tenants: Tenants) -> None:
    ann = tenants.ann
    ann("select pgflow.create_flow('mine'); select pgflow.add_step('mine', 's')")
    ann('select pgflow.replace_flow(\'{"slug": "mine", "tags": {"team": "x"}}\')')
    assert ann("select tags from pgflow.flows where flow_slug = 'mine'") == [
        ({"team": "x", "tenant": "ann"},)
    ]
    assert ann.value("select status from pgflow.start_flow('mine')") == "queued"
    assert tenants.bob("select from pgflow.flows where flow_slug = 'mine'") == []
    ann("select pgflow.delete_flow('mine', true)")


@pytest.mark.parametrize(
    "trick",
    [
        "set pgflow.tenant to 'bob'",
        "set row_security to on",
        "set application_name to 'bob'",
        "set search_path to pg_temp, pgflow",
    ],
)
def test_no_setting_makes_a_tenant_another(tenants: Tenants, trick: str) -> None:
    tenants.ann(trick)
    assert tenants.ann("select distinct tags ->> 'tenant' from pgflow.flows") == [("ann",)]
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        tenants.ann("select pgflow.start_flow('bob_inner')")


def test_the_end_of_a_run_is_an_event_for_its_own_tenant_alone(tenants: Tenants) -> None:
    ann, bob = tenants.ann, tenants.bob
    ann("select pgflow.create_trigger('ann_any', 'run.completed', 'ann_inner')")
    bob("select pgflow.create_trigger('bob_any', 'run.completed', 'bob_inner')")
    ann("select pgflow.create_trigger('ann_s', 'signal', 'ann_inner', signal_name => 's')")
    bob("select pgflow.create_trigger('bob_s', 'signal', 'bob_inner', signal_name => 's')")
    with_runs(tenants)
    bob("select pgflow.signal('s', 'k', '{}')")
    shown = "select trigger_name from pgflow.trigger_outcomes order by 1"
    assert ann.column(shown) == ["ann_any", "ann_t"]
    assert bob.column(shown) == ["bob_any", "bob_s", "bob_t"]
    assert (
        ann("select pgflow.event_of(event_id) from pgflow.trigger_events where type = 'signal'")
        == []
    )
    [theirs] = bob.column("select event_id from pgflow.trigger_events where type = 'signal'")
    assert ann.value("select pgflow.event_of(%s)", theirs) is None
    trigger_id = bob.value("select trigger_id from pgflow.triggers where name = 'bob_s'")
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        ann("select pgflow.fire_trigger(%s, %s)", trigger_id, theirs)


def test_a_trigger_joins_no_flows_of_two_tenants_whoever_makes_it(tenants: Tenants) -> None:
    made = "select pgflow.create_trigger('new', 'run.failed', %s, source_flow => %s)"
    for target, source in (("ann_inner", "bob_inner"), ("of_all", "ann_inner")):
        with pytest.raises(psycopg2.errors.InsufficientPrivilege, match="another tenant"):
            tenants.owner(made, target, source)


def test_a_tenant_cannot_take_the_role_of_another(tenants: Tenants) -> None:
    other = tenants.bob.value("select session_user::text")
    for trick in (f"set role {other}", f"set role {other}_role", f"set role {role_name('worker')}"):
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            tenants.ann(trick)


def test_who_has_no_tenant_sees_nothing(
    tenants: Tenants, new_session: Callable[[], Session]
) -> None:
    nobody = new_session()
    nobody(f"set role {role_name('reader')}")
    seen = [
        name
        for name in set(relations(tenants.owner)) - OPEN_TO_ALL - {"tenants"}
        if rows_of(nobody, name)
    ]
    assert seen == []


def test_every_table_has_a_policy(sql: Session) -> None:
    without = sql.column(
        "select relname::text from pg_class where relnamespace = 'pgflow'::regnamespace"
        " and relkind = 'r' and not exists (select from pg_policy where polrelid = pg_class.oid)"
    )
    assert set(without) == OPEN_TO_ALL | {"tenants"}


def test_isolation_can_be_taken_back(tenants: Tenants) -> None:
    tenants.owner("select pgflow.isolate_tenants(false)")
    assert {"ann_inner", "bob_inner", "of_all"} <= set(
        tenants.ann.column("select flow_slug from pgflow.flows")
    )
    assert tenants.ann.value("select status from pgflow.start_flow('bob_inner')") == "queued"
    tenants.owner("select pgflow.isolate_tenants(true)")
    assert tenants.ann("select from pgflow.flows where flow_slug = 'bob_inner'") == []


def test_without_somebody_who_sees_all_there_is_a_warning(sql: Session) -> None:
    sql("select pgflow.isolate_tenants()")
    assert "No role sees every tenant" in sql.connection.notices[-1]


def test_a_tenant_answers_and_signals_its_own_steps_alone(tenants: Tenants) -> None:
    runs = {}
    for user, tenant in ((tenants.ann, "ann"), (tenants.bob, "bob")):
        runs[tenant] = str(user.value(f"select run_id from pgflow.start_flow('{tenant}_inner')"))
        tenants.owner(
            "select pgflow.open_wait(%s, 'ask', 'approval', %s, 'ask', %s),"
            " pgflow.open_wait(%s, 'w', 'wait', %s, 'w', %s, signal => 'paid', key => 'k')",
            *(runs[tenant], f"{tenant}_inner", tenant) * 2,
        )
    for path, run in (("ask", runs["bob"]), ("nope", runs["bob"])):
        with pytest.raises(psycopg2.Error, match=f"There is no run {run}"):
            tenants.ann("select pgflow.answer(%s, %s, 'true')", run, path)
    assert tenants.ann.value("select pgflow.signal('paid', null, broadcast => true)") == 1
    assert tenants.ann.value("select pgflow.signal('paid', 'k')") == 0
    tenants.ann("select pgflow.answer(%s, 'ask', 'true')", runs["ann"])
    found = "select tenant || ' ' || step_path from pgflow.waits where status = 'open' order by 1"
    assert tenants.owner.column(found) == ["bob ask", "bob w"]
    assert tenants.ann.column("select distinct tenant from pgflow.waits") == ["ann"]
    assert tenants.bob.column("select step_path from pgflow.v_open_waits order by 1") == [
        "ask",
        "w",
    ]
    assert tenants.bob("select * from pgflow.signals") == []
    assert tenants.owner.value("select pgflow.signal('paid', 'k')") == 1

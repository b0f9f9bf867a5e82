"""Steps that share the slots of a pool with all runs: Dagster holds the limit, we name the pool."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from dagster_pgflow.json_values.sealed import seal
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.names import FLOW_INPUT
from tests.execution.harness import Handlers, job_of


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """A Dagster that keeps slots, with one in pool `mail` of flows and one in that of others."""
    with dg.DagsterInstance.local_temp(str(tmp_path)) as local:
        local.event_log_storage.set_concurrency_slots("pgflow/mail", 1)
        local.event_log_storage.set_concurrency_slots("mail", 1)
        yield local


def execute(
    instance: dg.DagsterInstance,
    flow: Flow,
    handlers: Handlers,
    others: tuple[Flow, ...] = (),
) -> None:
    """Run a flow, which must succeed and leave no slot taken."""
    finished = job_of(flow, others, handlers).execute_in_process(
        run_config={"inputs": {FLOW_INPUT: seal(None)}}, instance=instance
    )
    assert finished.success
    assert taken(instance) == 0


def taken(instance: dg.DagsterInstance) -> int:
    return instance.event_log_storage.get_concurrency_info("pgflow/mail").active_slot_count


def another_run_takes(instance: dg.DagsterInstance, pool: str) -> bool:
    storage = instance.event_log_storage
    return bool(storage.claim_concurrency_slot(pool, "another run", "its step").is_claimed)


def another_run_gives_up(instance: dg.DagsterInstance) -> None:
    instance.event_log_storage.free_concurrency_slots_for_run("another run")


def test_each_op_of_a_step_waits_for_a_slot_that_another_run_has(
    instance: dg.DagsterInstance,
) -> None:
    began: list[str] = []

    def first(_input: Any) -> list[int]:
        assert another_run_takes(instance, "pgflow/mail")
        return [1, 2]

    def other(_input: Any) -> None:
        began.append("other")
        another_run_gives_up(instance)

    def send(_input: Any) -> None:
        began.append("send")
        assert not another_run_takes(instance, "pgflow/mail"), "the slot of this step"
        assert another_run_takes(instance, "mail"), "no pool of the deployment is touched"
        another_run_gives_up(instance)

    # Without a pool the steps would run in this order.
    flow = Flow("f").step("first")
    flow = flow.map("send", depends_on="first", pool="mail", batch_size=1)
    flow = flow.step("other", depends_on="first")
    execute(instance, flow, {"first": first, "send": send, "other": other})
    assert began == ["other", "send", "send"]


def test_only_the_ops_that_call_the_handler_take_a_slot() -> None:
    inner = Flow("inner").map("send", "echo", pool="mail").step("last", "echo", depends_on="send")
    flow = Flow("f").step("first", "echo").map("send", "echo", depends_on="first", pool="mail")
    flow = flow.subflow("s", "inner", input={"n": "$nodes.send"}, depends_on="send")
    flow = flow.branch("route", rules=[("true", "end")], depends_on="send", pool="routes")
    flow = flow.step("end", depends_on="route")
    flow = flow.loop(
        "again", back_to="end", condition="false", max_iterations=2, pool="loops", depends_on="end"
    )
    job = job_of(flow, [inner])
    pools = {
        node.name: node.pool for node in job.all_node_defs if isinstance(node, dg.OpDefinition)
    }
    assert {name: pool for name, pool in pools.items() if pool} == {
        "pgflow__f__send": "pgflow/mail",
        "pgflow__f__route": "pgflow/routes",
        "pgflow__f__again": "pgflow/loops",
        "pgflow__inner__send": "pgflow/mail",
    }
    assert len(pools) > 4


def test_a_step_of_a_child_run_has_a_slot_in_each_attempt_and_the_steps_behind_it_have_none(
    instance: dg.DagsterInstance,
) -> None:
    seen: list[int] = []

    def send(_input: Any) -> None:
        seen.append(taken(instance))
        if len(seen) == 1:
            raise ValueError("not yet")

    inner = Flow("inner", base_delay=0).step("send", pool="mail")
    flow = Flow("f").subflow("s", "inner", mode="run").step("after", "send", depends_on="s")
    execute(instance, flow, {"send": send}, others=(inner,))
    assert seen == [1, 1, 0]

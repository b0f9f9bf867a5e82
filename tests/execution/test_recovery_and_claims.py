"""Who writes the rows of a lost run and who takes it up never wait for each other."""

from concurrent.futures import ThreadPoolExecutor

from dagster_pgflow.model.flow import Flow
from tests.execution.interrupted import Interruption, execute, first_run
from tests.execution.projecting import World, world
from tests.polling import poll
from tests.postgres import Session

__all__ = ["world"]

WAITING = "select count(*) from pg_locks where locktype = 'advisory' and not granted"


def test_rows_that_wait_for_who_takes_a_lost_run_up_hold_nothing_that_it_needs(
    world: World, database_url: str
) -> None:
    world.define(Flow("f", max_recoveries=3).step("a", "echo").step("b", "echo", depends_on="a"))
    job = world.job("f", {"echo": lambda given: given})
    run = first_run(world.instance, job, {"inputs": {"flow_input": {}}})
    world.project()
    execute(world.instance, job, run, Interruption("killed", after=8))
    claimer = Session(database_url)
    claimer("begin")
    claimer("select pg_advisory_xact_lock(pgflow.lock_of_continuations(%s))", run.run_id)
    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(world.look_again)
        try:
            poll(lambda: world.sql.value(WAITING) == 1)
            # What puts the run that goes on with it on the list, in a transaction of its own.
            world.sql("set lock_timeout = '10s'")
            world.sql("update pgflow.run_cursors set found_at = found_at")
        finally:
            claimer("rollback")
        assert writing.result().problems == []
    claimer.close()
    assert world.one("run_continuations")["kind"] == "recover"

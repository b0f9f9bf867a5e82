"""Live workers on two hosts that share PostgreSQL."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from dagster_pgflow import Flow
from dagster_pgflow.names import TAG_RUN_ID
from tests.hosts.deployment import RUN_S, START_S, Deployment, deployment
from tests.hosts.network import Host, why_there_are_no_hosts
from tests.polling import poll

REASON = why_there_are_no_hosts()
pytestmark = pytest.mark.skipif(REASON is not None, reason=f"No two hosts: {REASON}.")

LOCATION = Path(__file__).with_name("live_location.py")
ENDED = "select count(*)::int from pgflow.runs where status in ('completed', 'failed', 'cancelled')"
SHARED = Flow("shared").step("anywhere").step("large", depends_on="anywhere")
GATED = Flow("gated", max_attempts=1).step("gated")


@pytest.fixture(scope="module")
def deployed() -> Iterator[Deployment]:
    """Two hosts, each with a live worker that executes one run at a time."""
    with deployment() as deployed:
        deployed.define(SHARED, GATED)
        for host in (deployed.one, deployed.other):
            start_live(deployed, host)
        poll(lambda: workers(deployed) == {"one", "other"}, timeout=START_S)
        yield deployed


def start_live(deployed: Deployment, host: Host) -> None:
    """Starts a live worker; its log is `live-HOST.log`."""
    words = ("dagster-pgflow", "live", "-f", str(LOCATION), "--concurrency", "1")
    deployed.start(host, f"live-{host.name}", *words)


def workers(deployed: Deployment) -> set[str]:
    recent = "select host from pgflow.live_workers where seen_at > now() - interval '20 seconds'"
    return set(deployed.sql.column(recent))


def ask(deployed: Deployment, flow: str, count: int) -> list[str]:
    """Asks for runs, and returns their ids."""
    return [str(deployed.requests.start(flow, {"number": number})) for number in range(count)]


def rows(deployed: Deployment, asked: list[str]) -> list[dict[str, Any]]:
    """Waits until runs have ended, and returns their rows, which nobody here writes."""
    ended = f"{ENDED} and run_id = any(%s::uuid[])"
    poll(lambda: deployed.sql.value(ended, asked) == len(asked), timeout=RUN_S, every=0.2)
    return deployed.sql.records(
        "select * from pgflow.runs where run_id = any(%s::uuid[]) order by id", asked
    )


def runs_in_dagster(deployed: Deployment, run_id: str) -> list[dg.DagsterRun]:
    return list(deployed.instance.get_runs(dg.RunsFilter(tags={TAG_RUN_ID: run_id})))


def gated_runs_on_both(deployed: Deployment, count: int) -> list[str]:
    """Asks for runs, and waits until each host is at one of them."""
    (deployed.folder / "open").unlink(missing_ok=True)
    asked = ask(deployed, "gated", count)
    poll(lambda: set(at_work(deployed, asked)) == {"one", "other"}, timeout=RUN_S)
    return asked


def at_work(deployed: Deployment, asked: list[str]) -> dict[str, str]:
    """Returns which run each host has begun."""
    return {call.host: run_id for run_id in asked for call in deployed.calls(run_id)}


def test_hosts_share_the_work_and_begin_each_run_once(deployed: Deployment) -> None:
    asked = ask(deployed, "shared", 12)
    assert {row["status"] for row in rows(deployed, asked)} == {"completed"}
    calls = [call for run_id in asked for call in deployed.calls(run_id)]
    assert len(calls) == 12
    assert {call.host for call in calls} == {"one", "other"}
    assert [len(runs_in_dagster(deployed, run_id)) for run_id in asked] == [1] * 12


def test_a_host_that_dies_loses_no_request(deployed: Deployment) -> None:
    asked = gated_runs_on_both(deployed, 5)
    lost = at_work(deployed, asked)["other"]
    deployed.other.kill()
    (deployed.folder / "open").touch()
    assert {row["status"] for row in rows(deployed, asked)} == {"completed"}
    # The one that the host had goes on with another.
    times = [2 if run_id == lost else 1 for run_id in asked]
    assert [len(runs_in_dagster(deployed, run_id)) for run_id in asked] == times
    assert [len(deployed.calls(run_id)) for run_id in asked] == times


def test_a_host_whose_network_is_cut_doubles_nothing_when_it_is_back(deployed: Deployment) -> None:
    start_live(deployed, deployed.other)
    poll(lambda: deployed.log("live-other").count("is served") == 2, timeout=START_S)
    asked = gated_runs_on_both(deployed, 3)
    lost = at_work(deployed, asked)["other"]
    deployed.other.cut()
    (deployed.folder / "open").touch()
    statuses = dict.fromkeys(asked, "completed")
    assert {str(row["run_id"]): row["status"] for row in rows(deployed, asked)} == statuses
    deployed.other.mend()
    # It goes on with what is asked for now, and not with what others have taken for lost.
    after = gated_runs_on_both(deployed, 2)
    (deployed.folder / "open").touch()
    assert {row["status"] for row in rows(deployed, after)} == {"completed"}
    assert {str(row["run_id"]): row["status"] for row in rows(deployed, asked)} == statuses
    times = [2 if run_id == lost else 1 for run_id in asked]
    assert [len(deployed.calls(run_id)) for run_id in asked] == times
    assert [len(runs_in_dagster(deployed, run_id)) for run_id in asked] == times

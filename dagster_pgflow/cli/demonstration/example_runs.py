"""The runs of the demo: requested by SQL, waited for, and shown by SQL."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import dagster_pgflow
from dagster_pgflow.cli.console import Printer
from dagster_pgflow.cli.following_runs import ProgressPrinter, wait_for_ends
from dagster_pgflow.model.run_state import RunStatus
from dagster_pgflow.store.database import Database, StatementResult
from dagster_pgflow.store.requests import Requests
from dagster_pgflow.store.run_status import RunStatusReader

GOOD_CARD = "4111 1111 1111 1111"
BAD_CARD = "4111 1111 1111 1112"
WAIT_S = 300.0

WHAT_HAPPENED = """\
select
  run.flow_slug as flow,
  run.status,
  (select count(*) from pgflow.step_states where run_id = run.run_id) as steps,
  (select count(*) from pgflow.step_tasks where run_id = run.run_id) as tasks,
  (select count(*) from pgflow.subruns where parent_run_id = run.id) as subruns,
  (select count(*) from pgflow.event_log where run_id = run.run_id) as events,
  round(extract(epoch from coalesce(completed_at, failed_at) - started_at), 1) as seconds,
  coalesce(
    run.error_message,
    case
      when length(run.output::text) > 60 then left(run.output::text, 59) || '…'
      else run.output::text
    end
  ) as result
from pgflow.runs as run
order by run.id desc
limit {count}"""


@dataclass(frozen=True)
class ExampleRun:
    """A run that the demo starts.

    Attributes:
        flow_slug: The flow.
        input: Its input.
        ends: How it has to end; one of them shows what failure looks like.
    """

    flow_slug: str
    input: Any
    ends: RunStatus = "completed"


def example_runs(report: Path) -> tuple[ExampleRun, ...]:
    """Return the runs.

    Args:
        report: Where the flow `measure_docs` writes.
    """
    docs = {"folder": str(_folder_with_docs()), "report": str(report)}
    return (
        ExampleRun("ai_workflow", {"count": 100}),
        ExampleRun("order", _order("A-1001", GOOD_CARD)),
        # Here the card is not valid, and the order goes on without its payment ...
        ExampleRun("order", _order("A-1002", BAD_CARD)),
        # ... while the payment by itself has nobody who goes on.
        ExampleRun("payment", _bill("A-1003", BAD_CARD), ends="failed"),
        ExampleRun("measure_docs", docs),
    )


def start_runs(database: Database, runs: Sequence[ExampleRun]) -> list[UUID]:
    """Ask for runs through `pgflow.start_flow`, and return their ids."""
    requests = Requests(database)
    return [requests.start(run.flow_slug, run.input) for run in runs]


def wait_for_runs(
    database: Database, run_ids: Sequence[UUID], say: Printer, each_time: Callable[[], None]
) -> list[RunStatus]:
    """Wait for runs, print what happens in them, and return how they ended.

    Args:
        run_ids: The runs.
        say: Prints a line.
        each_time: Called while waiting; it raises when there is nothing more to wait for.

    Raises:
        RunGoesOn: They take too long.
    """
    printers = {run_id: ProgressPrinter(say, with_run=True) for run_id in run_ids}
    reports = wait_for_ends(RunStatusReader(database), printers, WAIT_S, each_time)
    return [reports[run_id].run.status for run_id in run_ids]


def what_happened(database: Database, count: int) -> tuple[str, StatementResult]:
    """Ask the run tables about the latest runs; return the SQL and what it says."""
    sql = WHAT_HAPPENED.format(count=count)
    with database.transaction() as transaction:
        return sql, transaction.answer(sql)


def _order(order_id: str, card_number: str) -> dict[str, Any]:
    return {
        "order_id": order_id,
        "lines": [
            {"item": "coffee", "price": 1250, "quantity": 2},
            {"item": "filter", "price": 300},
        ],
        "card_number": card_number,
        "expires": "12/39",
    }


def _bill(reference: str, card_number: str) -> dict[str, Any]:
    return {
        "reference": reference,
        "amount": 2800,
        "card_number": card_number,
        "expires": "12/39",
    }


def _folder_with_docs() -> Path:
    """Return the checkout that this runs from; in an installed package, the examples."""
    package = Path(dagster_pgflow.__file__).parent
    checkout = package.parent
    return checkout if (checkout / "pyproject.toml").is_file() else package / "examples"

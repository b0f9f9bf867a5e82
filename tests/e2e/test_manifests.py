"""A manifest that runs another one as a cell: from EDN files to the rows, in four ways."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.e2e.conftest import Deployment, begins_with
from tests.postgres import Session

Finished = Callable[..., dict[str, Any]]

FILES = sorted((Path(__file__).parent / "documents").glob("*.edn"))
GIVEN = {
    "good card": {"order-id": "o1", "card-number": "4111", "amount": 5_000},
    "bad card": {"order-id": "o2", "card-number": "1234", "amount": 5_000},
    "declined charge": {"order-id": "o3", "card-number": "4111", "amount": 50_000},
    "charge that throws": {"order-id": "o4", "card-number": "4111", "amount": 500_000},
}
IN_ERROR = "The run ended in error."
THROWN = "raised ConnectionError: The bank does not answer. ("


def begin_orders(deployment: Deployment, _: Session) -> dict[str, str]:
    sql = deployment.tagged_sql
    loaded = deployment.call(sql, "load", *map(str, FILES))
    assert loaded.returncode == 0, loaded.stderr
    start = "select run_id::text from pgflow.start_flow('shop_paid_order', %s)"
    return {name: sql.value(start, json.dumps(given)) for name, given in GIVEN.items()}


pytestmark = begins_with(begin_orders)


class Order:
    """What the tables say about the run of an order that is over."""

    def __init__(self, sql: Session, run_id: str) -> None:
        self._sql = sql
        self._run_id = run_id

    def steps(self) -> dict[str, str]:
        """Returns how each step ended that was not left out, by its path."""
        return dict(
            self._sql(
                "select step_path, status from pgflow.step_states"
                " where run_id = %s and status <> 'skipped'",
                self._run_id,
            )
        )

    def payment(self) -> tuple[str, str]:
        """Returns which flow ran inside, and how it ended."""
        [row] = self._sql(
            "select subrun.subflow_slug, subrun.status from pgflow.subruns as subrun"
            " join pgflow.runs as run on run.id = subrun.parent_run_id"
            " where run.run_id = %s and subrun.subrun_path = '1'",
            self._run_id,
        )
        return row

    def trace(self) -> list[tuple[str, str, str | None]]:
        """Returns what the cells of the payment did, in their order, and with which error."""
        return self._sql(
            "select told.step, told.status, told.error from pgflow.subruns as subrun"
            " join pgflow.runs as run on run.id = subrun.parent_run_id"
            " cross join lateral pgflow.child_trace(subrun.subrun_id) as told"
            " where run.run_id = %s and told.status <> 'skipped'",
            self._run_id,
        )


def order_of(
    name: str, deployment: Deployment, begun: dict[str, str], finished: Finished
) -> tuple[Order, dict[str, Any]]:
    """Waits for the run of an order, and returns its records and what it ended with."""
    run = finished(deployment.tagged_sql, begun[name])
    assert (run["status"], run["error_message"], run["remaining_steps"]) == ("completed", None, 0)
    assert deployment.dagster.run_status(run["dagster_run_id"]) == "SUCCESS"
    assert GIVEN[name].items() <= run["output"].items()
    return Order(deployment.tagged_sql, begun[name]), run["output"]


def assert_unpaid(order: Order, data: dict[str, Any], why: str) -> None:
    """Checks that an order ended with the error of its payment, and what is told of that."""
    assert data["error"]["cell"] == "payment"
    assert why in data["error"]["message"]
    assert not data.keys() & {"receipt-id", "sent"}
    told = [
        (entry["step"], entry["status"], entry.get("error"))
        for entry in data["child_trace"]
        if entry["status"] != "skipped"
    ]
    assert told == order.trace()
    assert [error for *_, error in told if error] == [data["error"]["message"]]
    assert order.payment() == ("payment_process_order", "failed")
    steps = order.steps()
    assert (steps["payment"], steps["end"]) == ("failed", "completed")
    assert "confirm" not in steps


def test_a_good_card(deployment: Deployment, begun: dict[str, str], finished: Finished) -> None:
    order, data = order_of("good card", deployment, begun, finished)
    assert data == GIVEN["good card"] | {
        "items": ["book"],
        "card-valid": True,
        "charge-id": "ch-o1",
        "receipt-id": "r-ch-o1",
        "sent": "book: r-ch-o1",
    }
    cells = ("start", "payment.start", "payment.charge", "payment.receipt", "payment", "confirm")
    assert order.steps() == dict.fromkeys((*cells, "end"), "completed")
    assert order.payment() == ("payment_process_order", "completed")
    assert order.trace() == [
        ("start", "completed", None),
        ("charge", "completed", None),
        ("receipt", "completed", None),
    ]


def test_a_bad_card(deployment: Deployment, begun: dict[str, str], finished: Finished) -> None:
    order, data = order_of("bad card", deployment, begun, finished)
    assert_unpaid(order, data, IN_ERROR)
    assert [(step, status) for step, status, _ in order.trace()] == [
        ("start", "completed"),
        ("before_error", "completed"),
        ("error", "failed"),
    ]


def test_a_declined_charge(
    deployment: Deployment, begun: dict[str, str], finished: Finished
) -> None:
    order, data = order_of("declined charge", deployment, begun, finished)
    assert_unpaid(order, data, IN_ERROR)
    assert [(step, status) for step, status, _ in order.trace()] == [
        ("start", "completed"),
        ("charge", "completed"),
        ("before_error", "completed"),
        ("error", "failed"),
    ]


def test_a_charge_that_throws(
    deployment: Deployment, begun: dict[str, str], finished: Finished
) -> None:
    order, data = order_of("charge that throws", deployment, begun, finished)
    assert_unpaid(order, data, THROWN)
    assert [(step, status) for step, status, _ in order.trace()] == [
        ("start", "completed"),
        ("charge", "failed"),
    ]

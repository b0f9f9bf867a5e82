"""Manifests of whole tasks, from files, in real Dagster: which cells run, and what is left."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dagster_pgflow import read_manifest
from dagster_pgflow.model.flow import Flow
from tests.execution.harness import Result, run

Data = dict[str, Any]

FOLDER = Path(__file__).parents[1] / "manifests"
PEOPLE = {"t1": "u1", "t2": "u2"}
NAMES = {"u1": "Ada", "u2": "Bo"}


def flow_of(name: str) -> Flow:
    """Return the flow of a manifest in a file."""
    return read_manifest((FOLDER / name).read_text(), folder=FOLDER)


def end_of(result: Result) -> Data:
    """Return the data map of the end that a run came to."""
    assert result.errors == {}
    outputs = [output for path, output in result.outputs.items() if "." not in path]
    last: Data = outputs[-1]
    return last


def failing(message: str) -> Callable[[Data], Data]:
    """Return a handler that raises."""

    def fail(_data: Data) -> Data:
        raise ValueError(message)

    return fail


class Shop:
    """What the cells of a checkout do; it notes which of them ran with the totals so far."""

    def __init__(self, **instead: Callable[[Data], Data]) -> None:
        self.ran: list[str] = []
        self._instead = instead

    def handlers(self) -> dict[str, Callable[[Data], Data]]:
        """Return the handlers by their names."""
        adds: dict[str, Callable[[Data], Data]] = {
            "cart/open": lambda _: {"cart": 7},
            "cart/reserve": lambda data: {"reserved": data["cart"]},
            "cart/price": lambda data: {"total": data.get("cents", 0)},
            "cart/decide": lambda _: {},
            "pay/by-card": lambda _: {"paid": "card"},
            "pay/by-invoice": lambda _: {"paid": "invoice"},
            "pay/nothing": lambda _: {"paid": "nothing"},
            "cart/ship": lambda data: {"parcel": data["reserved"]},
            "cart/thank": lambda data: {"thanks": data["paid"]},
            "cart/roll-back": lambda data: {"undone": sorted(data.keys() & {"reserved", "paid"})},
        }
        return dict(self._noting({**adds, **self._instead}))

    def _noting(
        self, adds: dict[str, Callable[[Data], Data]]
    ) -> Iterator[tuple[str, Callable[[Data], Data]]]:
        def noting(name: str, add: Callable[[Data], Data]) -> Callable[[Data], Data]:
            def work(data: Data) -> Data:
                self.ran.append(name.partition("/")[2])
                return add(data)

            return work

        for name, add in adds.items():
            yield name, noting(name, add)

    def check_out(self, given: Data) -> Result:
        """Run the checkout."""
        return run(flow_of("checkout.edn"), given, handlers=self.handlers())


@pytest.mark.parametrize(
    ("given", "paid"),
    [
        ({"cents": 900, "company": True}, "card"),
        ({"cents": 400, "company": True}, "invoice"),
        ({}, "nothing"),
    ],
    ids=["card", "invoice", "nothing"],
)
def test_a_checkout_takes_one_of_three_ways_behind_a_join(given: Data, paid: str) -> None:
    shop = Shop()
    data = end_of(shop.check_out(given))
    assert (data["paid"], data["thanks"], data["parcel"]) == (paid, paid, 7)
    assert "error" not in data
    assert sorted(shop.ran[1:3]) == ["price", "reserve"]
    assert len(shop.ran) == 7


def test_a_checkout_that_cannot_ship_takes_back_what_was_paid() -> None:
    shop = Shop(**{"cart/ship": failing("no lorry")})
    result = shop.check_out({"cents": 900})
    assert not result.success
    assert shop.ran[-2:] == ["ship", "roll-back"]
    rolled_back = result.outputs["rollback"]
    assert rolled_back["undone"] == ["paid", "reserved"]
    assert rolled_back["error"]["cell"] == "ship"
    assert "no lorry (" in rolled_back["error"]["message"]


def test_a_checkout_whose_quote_fails_takes_nothing_back_that_was_not_done() -> None:
    shop = Shop(**{"cart/price": failing("no prices"), "cart/reserve": failing("no stock")})
    result = shop.check_out({"cents": 900})
    assert not result.success
    rolled_back = result.outputs["rollback"]
    assert rolled_back["undone"] == []
    stock, price = rolled_back["join-error"]
    assert (stock["cell"], price["cell"]) == ("stock", "price")
    assert "no stock" in stock["message"]
    assert "no prices" in price["message"]
    assert "decide" not in shop.ran


@pytest.mark.parametrize("passes", [1, 20])
def test_a_text_is_written_anew_until_it_is_good(passes: int) -> None:
    result = review(good_after=passes)
    assert end_of(result) == {"drafts": passes, "score": 9, "printed": passes}


def test_a_text_is_written_twenty_times_at_most() -> None:
    result = review(good_after=21)
    assert not result.success
    assert "went round 20 times" in result.error


def review(good_after: int) -> Result:
    """Write a text that gets good with a certain draft."""
    return run(
        flow_of("review.edn"),
        {},
        handlers={
            "text/write": lambda data: {"drafts": data.get("drafts", 0) + 1},
            "text/judge": lambda data: {"score": 9 if data["drafts"] >= good_after else 3},
            "text/print": lambda data: {"printed": data["drafts"]},
        },
    )


AUTH: dict[str, Callable[[Data], Data]] = {
    "auth/session": lambda data: {"user": PEOPLE.get(data["token"])},
    "auth/profile": lambda data: {"name": NAMES[data["user"]]},
}


@pytest.mark.parametrize("name", ["account", "basket"])
def test_manifests_share_a_login(name: str) -> None:
    handlers = {**AUTH, f"show/{name}": lambda data: {"shown": f"{name} of {data['name']}"}}
    data = end_of(run(flow_of(f"{name}.edn"), {"token": "t1"}, handlers=handlers))
    assert data["shown"] == f"{name} of Ada"
    unknown = run(flow_of(f"{name}.edn"), {"token": "?"}, handlers=handlers)
    assert unknown.errors.keys() == {"error"}


def test_a_login_stands_twice_in_one_manifest() -> None:
    flow = flow_of("transfer.edn")
    assert {"start", "profile", "second", "approver_profile"} <= {step.slug for step in flow.steps}
    handlers: dict[str, Callable[[Data], Data]] = {
        **AUTH,
        "bank/next": lambda data: {"token": data["second-token"], "from": data["name"]},
        "bank/send": lambda data: {"sent": f"{data['from']}, {data['name']}"},
        "bank/refuse": lambda data: {"refused": data.get("from", "nobody")},
    }
    sent = end_of(run(flow, {"token": "t1", "second-token": "t2"}, handlers=handlers))
    assert sent["sent"] == "Ada, Bo"
    refused = run(flow, {"token": "t1", "second-token": "?"}, handlers=handlers)
    assert not refused.success
    assert refused.outputs["refuse"]["refused"] == "Ada"

"""What tells a fragment from a manifest that runs as a cell: each row of the table in the docs."""

from collections.abc import Callable
from typing import Any

import pytest

from dagster_pgflow import read_manifest, register_workflow_cell
from dagster_pgflow.errors import InvalidFlow
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.steps import SingleStep, SubflowStep
from tests.execution.projecting import World, world

__all__ = ["world"]

Data = dict[str, Any]

INSIDE: dict[str, Any] = {
    "cells": {
        "check": {"id": "pay/check", "schema": {"output": {"card": "string"}}},
        "charge": {
            "id": "pay/charge",
            "schema": {"input": {"card": "string"}, "output": {"receipt": "string"}},
        },
    },
    "edges": {"check": "charge"},
}
FRAGMENT = INSIDE | {
    "entry": "check",
    "exits": ["paid", "failed"],
    "edges": {"check": "charge", "charge": "_exit/paid"},
    "error-groups": {"all": {"cells": ["charge"], "on-error": "_exit/failed"}},
}
CHILD = {
    "cells": {"start": INSIDE["cells"]["check"], "charge": INSIDE["cells"]["charge"]},
    "edges": {"start": "charge", "charge": "end"},
}
HOST: dict[str, Any] = {
    "id": "shop/order",
    "cells": {"mail": "shop/mail", "sorry": "shop/sorry"},
    "edges": {"mail": "end", "sorry": "end"},
    "interceptors": [{"id": "noting", "scope": "all", "pre": "shop/note"}],
}
BY_FRAGMENT = HOST | {
    "fragments": {
        "pay": {"fragment": FRAGMENT, "as": "start", "exits": {"paid": "mail", "failed": "sorry"}}
    }
}
BY_CELL = HOST | {
    "cells": HOST["cells"] | {"start": "pay/all"},
    "edges": HOST["edges"] | {"start": {"success": "mail", "failure": "sorry"}},
}


def flows_run_by(flow: Flow) -> list[str]:
    """Return the flows that a flow contains."""
    return [step.flow for step in flow.steps if isinstance(step, SubflowStep)]


def with_fragment(**changes: Any) -> Flow:
    """Return the flow of a host with a fragment."""
    return read_manifest(BY_FRAGMENT | changes)


def with_cell(**changes: Any) -> tuple[Flow, Flow]:
    """Return the flow that a cell runs, and the flow of its host."""
    child = register_workflow_cell("pay/all", CHILD, output={"receipt": "string"})
    return child, read_manifest(BY_CELL | changes, flows={child.slug})


def handlers(seen: list[str], charge: Callable[[Data], Data]) -> dict[str, Callable[..., Any]]:
    """Return what the cells do; `shop/note` notes before which of them it was called."""

    def note(data: Data, ctx: Any) -> Data:
        seen.append(ctx.step_slug)
        return data

    return {
        "pay/check": lambda _: {"card": "4111"},
        "pay/charge": charge,
        "shop/mail": lambda _: {"sent": True},
        "shop/sorry": lambda data: {"told": raised(data["error"]["message"])},
        "shop/note": note,
    }


def raised(message: str) -> str:
    """Return what a handler raised, without where that was."""
    return message.rpartition(" raised ")[2].partition(" (")[0]


def paid(_data: Data) -> Data:
    return {"receipt": "r1"}


def refused(_data: Data) -> Data:
    raise ValueError("no money")


def test_when_and_boundary() -> None:
    """A fragment is dissolved when the host is read; a cell runs its flow when it is its turn."""
    flat = with_fragment()
    assert {"start", "charge", "mail"} <= {step.slug for step in flat.steps}
    assert flows_run_by(flat) == []
    _, host = with_cell()
    assert flows_run_by(host) == ["pay_all"]
    assert "charge" not in {step.slug for step in host.steps}


def test_schema_chain() -> None:
    """It goes through a fragment; a cell and its host have one each."""
    wants_receipt = {"mail": {"id": "shop/mail", "schema": {"input": {"card": "int"}}}}
    with pytest.raises(InvalidFlow) as through:
        with_fragment(cells=HOST["cells"] | wants_receipt)
    assert "card" in str(through.value)
    with_cell(cells=BY_CELL["cells"] | wants_receipt)
    broken = {
        **CHILD,
        "input-schema": {},
        "cells": {**CHILD["cells"], "start": {"id": "pay/check", "schema": {"output": {}}}},
    }
    with pytest.raises(InvalidFlow) as inside:
        register_workflow_cell("pay/all", broken)
    assert '"charge" requires "card"' in str(inside.value)


def test_trace(world: World) -> None:
    """Each cell of a fragment is a step of the run; those of a cell are told as its trace."""
    world.define(with_fragment(), *with_cell(id="shop/other"))
    for slug in ("shop_order", "shop_other"):
        world.run(slug, handlers([], paid), {})
    world.settle()
    flat = world.sql.column(
        "select step_path from pgflow.step_states where flow_slug = 'shop_order'"
        " and status = 'completed' and step_path in ('start', 'charge')"
    )
    assert sorted(flat) == ["charge", "start"]
    traced = world.sql(
        "select subrun.subrun_path, told.step, told.status from pgflow.subruns as subrun"
        " cross join lateral pgflow.child_trace(subrun.subrun_id) as told"
        " where subrun.subrun_path = '1'"
    )
    assert traced == [("1", "start", "completed"), ("1", "charge", "completed")]


def test_error_routing_and_interceptors(world: World) -> None:
    """A fragment has exits, a cell its edge `failure`; interceptors stop at the door of a cell."""
    world.define(with_fragment(), *with_cell(id="shop/other"))
    seen: dict[str, list[str]] = {"shop_order": [], "shop_other": []}
    for slug, noted in seen.items():
        world.run(slug, handlers(noted, refused), {})
    world.settle()
    outputs = dict(world.sql("select flow_slug, output from pgflow.runs"))
    assert {slug: output["told"] for slug, output in outputs.items()} == dict.fromkeys(
        seen, "ValueError: no money"
    )
    assert outputs["shop_order"]["error"]["cell"] == "charge"
    assert outputs["shop_other"]["error"]["cell"] == "start"
    told = [(entry["step"], entry["status"]) for entry in outputs["shop_other"]["child_trace"]]
    assert told == [("start", "completed"), ("charge", "failed")]
    assert seen == {
        "shop_order": ["start", "charge", "sorry"],
        "shop_other": ["before_start", "sorry"],
    }


def test_output_schema() -> None:
    """Cells of a fragment keep theirs; that of a cell is open, since a failure gives other keys."""
    charge = next(step for step in with_fragment().steps if step.slug == "charge")
    assert isinstance(charge, SingleStep)
    assert charge.output_schema is not None
    assert charge.output_schema["required"] == ["receipt"]
    child, _ = with_cell()
    assert child.output_schema is not None
    assert "required" not in child.output_schema


def test_reuse_mechanism() -> None:
    """A fragment is text or an object; a cell is a flow that is registered, or stored."""
    child, host = with_cell()
    assert flows_run_by(host) == [child.slug]
    by_name = read_manifest(
        BY_FRAGMENT
        | {
            "fragments": {
                "pay": {
                    "ref": "parts/pay.edn",
                    "as": "start",
                    "exits": {"paid": "mail", "failed": "sorry"},
                }
            }
        },
        load={"parts/pay.edn": FRAGMENT}.__getitem__,
    )
    assert by_name == with_fragment()

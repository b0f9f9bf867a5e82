from pathlib import Path
from typing import Any

import pytest

from dagster_pgflow import read_manifest, register_workflow_cell, workflow_to_cell
from dagster_pgflow.dsl.document import read_flow_file
from dagster_pgflow.errors import InvalidFlow
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.steps import SubflowStep

PAYMENT: dict[str, Any] = {"cells": {"start": "pay/charge"}, "edges": {"start": "end"}}
ORDER: dict[str, Any] = {
    "id": "order",
    "cells": {"start": "pay/all", "sorry": "shop/sorry"},
    "edges": {"start": {"success": "end", "failure": "sorry"}, "sorry": "end"},
}


def flows_run_by(flow: Flow) -> list[str]:
    """Return the flows that a flow contains."""
    return [step.flow for step in flow.steps if isinstance(step, SubflowStep)]


def test_a_manifest_becomes_the_flow_that_a_cell_runs() -> None:
    flow = workflow_to_cell(
        "pay/all",
        PAYMENT | {"id": "something/else"},
        input=["map", ["amount", "int"]],
        output={"receipt": "string"},
    )
    assert flow.slug == "pay_all"
    assert flow.input_schema is not None
    assert flow.input_schema["required"] == ["amount"]
    assert flow.output_schema == {
        "type": "object",
        "properties": {"receipt": {"type": "string"}},
    }
    assert flows_run_by(read_manifest(ORDER, flows={flow.slug})) == ["pay_all"]


@pytest.mark.parametrize(
    ("schema", "path"),
    [({"input": ["mapp"]}, "input"), ({"output": object()}, "output"), ({"input": 5}, "input")],
    ids=["malli", "python", "number"],
)
def test_a_schema_that_is_none_is_refused(schema: dict[str, Any], path: str) -> None:
    with pytest.raises(InvalidFlow) as refused:
        workflow_to_cell("pay/all", PAYMENT, **schema)
    assert refused.value.problems[0].path == path


def test_what_a_python_file_registers_is_loaded_and_known_behind_it(tmp_path: Path) -> None:
    file = tmp_path / "flows.py"
    file.write_text(
        "from dagster_pgflow import read_manifest, register_workflow_cell\n"
        f"register_workflow_cell('pay/all', {PAYMENT!r})\n"
        f"order = read_manifest({ORDER!r})\n"
    )
    read = read_flow_file(file)
    assert read.problems == ()
    assert [flow.slug for flow in read.flows] == ["pay_all", "order"]
    assert flows_run_by(read.flows[1]) == ["pay_all"]


def test_nothing_of_it_is_kept() -> None:
    assert register_workflow_cell("pay/all", PAYMENT).slug == "pay_all"
    with pytest.raises(InvalidFlow):
        read_manifest(ORDER)


def test_flows_of_one_file_know_each_other(tmp_path: Path) -> None:
    file = tmp_path / "shop.edn"
    file.write_text(
        "{:id :order :cells {:start :pay/all :b {:flow :pay/all}}\n"
        " :edges {:start {:success :b, :failure :error} :b :end}}\n"
        "{:id :pay/all :cells {:start :pay/charge} :edges {:start :end}}\n"
    )
    read = read_flow_file(file)
    assert read.problems == ()
    assert flows_run_by(read.flows[0]) == ["pay_all", "pay_all"]

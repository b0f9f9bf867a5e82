"""brief and infer-schemas, which look at runs that have completed."""

import json
from typing import Any
from uuid import uuid4

import pytest
import yaml

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.store.flows import FlowBuilder
from tests.postgres import Session
from tests.unit.cli.conftest import Cli

FLOW = (
    Flow("order", input_schema={"type": "object", "properties": {"id": {"type": "integer"}}})
    .step("fetch", description="Asks for the order.", params={"url": "here"})
    .branch(
        "check",
        depends_on="fetch",
        rules=[{"when": "output.paid", "then": "thank", "label": "paid"}],
    )
    .step("thank", depends_on="check", merge_input=True, keep_input=True)
)


@pytest.fixture
def order(cli: Cli, builder: FlowBuilder) -> Cli:
    builder.define_flow(FLOW)
    return cli


def ran(sql: Session, given: Any, status: str = "completed", **outputs: Any) -> None:
    """Make the rows of a run."""
    run_id = str(uuid4())
    sql(
        "insert into pgflow.runs (run_id, flow_slug, status, input, output)"
        " values (%s, 'order', %s, %s, %s)",
        run_id,
        status,
        json.dumps(given),
        json.dumps(outputs),
    )
    for slug, output in outputs.items():
        sql(
            "insert into pgflow.step_states"
            " (run_id, step_path, step_slug, flow_slug, status, output)"
            " values (%s, %s, %s, 'order', 'completed', %s)",
            run_id,
            slug,
            slug,
            json.dumps(output),
        )


def test_a_brief_says_what_a_handler_needs(order: Cli) -> None:
    lines = order("brief", "order", "fetch").stdout.splitlines()
    assert lines == [
        "Step fetch of flow order, single",
        "Asks for the order.",
        "Handler: fetch",
        "Receives: the flow input",
        "Returns: any JSON",
        'Params: {"url": "here"}',
        'Flow input schema: {"type": "object", "properties": {"id": {"type": "integer"}}}',
        "Behind: check",
    ]


def test_a_brief_names_what_comes_before_and_the_routes_behind(order: Cli) -> None:
    check = json.loads(order("brief", "order", "check", "--json").stdout)
    assert check["before"] == [{"step": "fetch", "description": "Asks for the order."}]
    assert check["behind"] == [{"step": "thank", "route": "paid"}]
    assert check["rules"] == [{"label": "paid", "when": "output.paid", "then": ["thank"]}]
    thank = json.loads(order("brief", "order", "thank", "--json").stdout)
    assert thank["receives"] == "what these returned, laid over each other: check"
    assert thank["returns"] == "an object, which is laid over what it received"


def test_a_brief_has_an_example_from_the_latest_run(order: Cli, sql: Session) -> None:
    ran(sql, {"id": 1}, fetch={"paid": True}, check={"paid": True}, thank={"mail": "x"})
    ran(sql, {"id": 2}, fetch={"paid": False})
    ran(sql, {"id": 3}, "failed", fetch={"paid": None})
    fetch = json.loads(order("brief", "order", "fetch", "--json").stdout)
    assert fetch["example"] == {"input": {"id": 2}, "output": {"paid": False}}
    check = json.loads(order("brief", "order", "check", "--json").stdout)
    assert check["example"]["input"] == {"fetch": {"paid": True}}
    thank = json.loads(order("brief", "order", "thank", "--json").stdout)
    assert thank["example"]["input"] == {"paid": True}
    assert 'Returned: {"mail": "x"}' in order("brief", "order", "thank").stdout


def test_a_step_that_there_is_not_is_told_with_what_is_meant(order: Cli) -> None:
    result = order("brief", "order", "fecth")
    assert result.exit_code == 1
    assert 'Flow "order" has no step "fecth". Do you mean "fetch"?' in result.stderr


def test_schemas_are_inferred_from_what_was_there(order: Cli, sql: Session) -> None:
    ran(sql, {"id": 1, "note": "x"}, fetch={"paid": True, "sum": 1}, check={"paid": True})
    ran(sql, {"id": 2}, fetch={"paid": False, "sum": 1.5, "tags": ["a", None]})
    result = order("infer-schemas", "order")
    proposed = yaml.safe_load(result.stdout)
    assert proposed["input_schema"] == {
        "type": "object",
        "properties": {"id": {"type": "integer"}, "note": {"type": "string"}},
        "required": ["id"],
    }
    fetch = proposed["steps"]["fetch"]
    assert fetch["input_schema"] == proposed["input_schema"]
    assert fetch["output_schema"] == {
        "type": "object",
        "properties": {
            "paid": {"type": "boolean"},
            "sum": {"type": "number"},
            "tags": {"type": "array", "items": {"type": ["string", "null"]}},
        },
        "required": ["sum", "paid"],
    }
    assert "thank" not in proposed["steps"]
    assert "From 2 completed runs." in result.stderr
    assert json.loads(order("infer-schemas", "order", "--json").stdout) == proposed


def test_no_more_runs_are_looked_at_than_asked_for(order: Cli, sql: Session) -> None:
    for number in range(3):
        ran(sql, {f"of_{number}": 1}, fetch={})
    result = json.loads(order("infer-schemas", "order", "--runs", "2", "--json").stdout)
    assert set(result["input_schema"]["properties"]) == {"of_1", "of_2"}


def test_without_a_completed_run_nothing_is_proposed(order: Cli) -> None:
    result = order("infer-schemas", "order")
    assert result.exit_code == 1
    assert 'No run of flow "order" has completed yet' in result.stderr

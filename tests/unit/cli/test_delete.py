"""delete."""

from pathlib import Path

import pytest

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.store.flows import FlowBuilder
from dagster_pgflow.store.requests import Requests
from tests.postgres import Session
from tests.unit.cli.conftest import Cli

FLOW = Flow("order").step("fetch")


@pytest.fixture
def stored(builder: FlowBuilder) -> None:
    """The flow is there."""
    builder.define_flow(FLOW)


def test_a_flow_is_deleted_after_a_question(cli: Cli, sql: Session, stored: None) -> None:
    no = cli("delete", "order", input="n\n")
    assert (no.exit_code, "Delete flow order?" in no.stderr) == (1, True)
    assert sql.column("select flow_slug from pgflow.flows") == ["order"]
    yes = cli("delete", "order", input="y\n")
    assert (yes.exit_code, yes.stdout) == (0, "order: deleted\n")
    assert sql.column("select flow_slug from pgflow.flows") == []


def test_nobody_is_asked_who_said_yes(cli: Cli, stored: None) -> None:
    result = cli("delete", "order", "--yes")
    assert (result.exit_code, result.stdout) == (0, "order: deleted\n")
    assert "Delete flow" not in result.stderr


def test_nothing_is_deleted_when_nobody_can_answer(cli: Cli, sql: Session, stored: None) -> None:
    assert cli("delete", "order", input="").exit_code == 1
    assert sql.column("select flow_slug from pgflow.flows") == ["order"]


def test_a_flow_that_is_gone_can_be_brought_back_as_it_says(
    cli: Cli, builder: FlowBuilder, tmp_path: Path, stored: None
) -> None:
    told = cli("delete", "order", "--yes").stderr
    words = told.partition("`dagster-pgflow ")[2].partition("`")[0].split()
    file = tmp_path / "order.yaml"
    file.write_text(cli(*words).stdout)
    assert cli("load", str(file)).stdout == "order: stored as version 3 (order.yaml)\n"
    assert builder.get_flow("order") == FLOW


def test_a_flow_with_runs_under_way_is_kept_unless_forced(
    cli: Cli, requests: Requests, sql: Session, stored: None
) -> None:
    requests.start("order", {})
    refused = cli("delete", "order", "--yes")
    assert refused.exit_code == 1
    assert 'Flow "order" has 1 run under way' in refused.stderr
    assert "--force" in refused.stderr
    assert sql.column("select flow_slug from pgflow.flows") == ["order"]
    assert cli("delete", "order", "--yes", "--force").exit_code == 0
    assert sql.column("select status from pgflow.runs") == ["failed"]


def test_its_runs_stay_unless_told_otherwise(
    cli: Cli, builder: FlowBuilder, requests: Requests, sql: Session, stored: None
) -> None:
    requests.start("order", {})
    sql("update pgflow.runs set status = 'completed'")
    cli("delete", "order", "--yes")
    assert sql.value("select count(*) from pgflow.runs") == 1
    builder.define_flow(FLOW)
    asked = cli("delete", "order", "--with-runs", input="y\n")
    assert "Delete flow order and its runs?" in asked.stderr
    assert sql.value("select count(*) from pgflow.runs") == 0


def test_a_flow_that_others_contain_is_kept_unless_forced(
    cli: Cli, builder: FlowBuilder, stored: None
) -> None:
    builder.define_flow(Flow("outer").subflow("s", "order"))
    assert 'is a subflow of "outer"' in cli("delete", "order", "--yes").stderr
    assert cli("delete", "order", "--yes", "--force").exit_code == 0


def test_an_unknown_flow_is_told_before_any_question(cli: Cli) -> None:
    result = cli("delete", "nope")
    assert (result.exit_code, 'There is no flow "nope"' in result.stderr) == (1, True)
    assert "Delete flow" not in result.stderr

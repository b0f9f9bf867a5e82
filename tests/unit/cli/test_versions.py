"""versions, and show of one of them."""

import json

import pytest

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.store.flows import FlowBuilder
from tests.unit.cli.conftest import Cli

FIRST = Flow("order").step("fetch").step("charge", depends_on="fetch")

GONE = "step charge removed, step thank removed, schedule n removed"


@pytest.fixture
def stored(builder: FlowBuilder) -> FlowBuilder:
    """A flow with a past."""
    builder.define_flow(FIRST)
    more = FIRST.step("thank", depends_on="charge").schedule("n", "0 2 * * *")
    builder.define_flow(more)
    builder.define_flow(Flow("order", timeout=9).step("fetch", handler="x", base_delay=1))
    builder.delete_flow("order")
    builder.define_flow(FIRST)
    return builder


def told(cli: Cli, *options: str) -> list[tuple[int, str]]:
    found = json.loads(cli("versions", "order", "--json", *options).stdout)
    assert all(version["created_at"] for version in found)
    return [(version["version"], version["change"]) for version in found]


def test_versions_are_told_with_what_changed(cli: Cli, stored: FlowBuilder) -> None:
    assert told(cli) == [
        (5, "created again"),
        (4, "deleted"),
        (3, f"step fetch changed, {GONE} and 1 more"),
        (2, "step thank added, schedule n added"),
        (1, "created"),
    ]
    assert told(cli, "--limit", "2") == [(5, "created again"), (4, "deleted")]
    result = cli("versions", "order")
    assert "step thank added, schedule n added" in result.stdout
    assert "dagster-pgflow diff order@4 order@5" not in result.stderr  # 4 cannot be compared


def test_two_versions_can_be_compared_as_it_says(cli: Cli, builder: FlowBuilder) -> None:
    builder.define_flow(FIRST)
    builder.define_flow(Flow("order").step("fetch"))
    words = cli("versions", "order").stderr.partition("`dagster-pgflow ")[2].partition("`")[0]
    assert cli(*words.split()).stdout.startswith("- steps.charge: ")


def test_a_flow_that_never_was_has_no_versions(cli: Cli) -> None:
    result = cli("versions", "nope")
    assert (result.exit_code, 'There is no flow "nope"' in result.stderr) == (1, True)


def test_what_is_special_about_a_step_is_shown(cli: Cli, builder: FlowBuilder) -> None:
    flow = Flow("f").step("a", jitter="full")
    flow = flow.map("m", depends_on="a", batch_size=7, collect_errors=True)
    flow = flow.map("l", depends_on="a", max_failures=7, max_failures_percent=5)
    flow = flow.step("s", "mail.send", depends_on="a", pool="mail")
    builder.define_flow(flow.map("p", depends_on="m", pipelined=True))
    shown = cli("show", "f").stdout
    for part in (
        "5 s, full jitter",
        "f.m, 7 at a time, collects errors",
        "f.p, pipelined",
        "of at most 7 and 5 %",
        "mail.send, in pool mail",
    ):
        assert part in shown


def test_a_version_can_be_shown(cli: Cli, stored: FlowBuilder) -> None:
    assert cli("show", "order").stdout.startswith("Flow order, version 5\n")
    second = cli("show", "order", "--version", "2").stdout
    assert second.startswith("Flow order, version 2 of 5\n")
    assert "thank" in second
    assert json.loads(cli("show", "order", "--version", "1", "--json").stdout) == FIRST.to_json()
    assert "has no version 9" in cli("show", "order", "--version", "9").stderr
    assert "was deleted by it" in cli("show", "order", "--version", "4").stderr


def test_a_change_of_a_flow_inside_is_told_and_shown(cli: Cli, builder: FlowBuilder) -> None:
    child = Flow("payment").step("charge")
    flow = Flow("order").subflow("pay", child, on_failure="mend").step("mend", depends_on="pay")
    builder.define_flows([flow, child])
    builder.define_flow(child.step("receipt", depends_on="charge"))
    assert told(cli) == [(2, "flow payment is version 2 now"), (1, "created")]
    assert "flow payment, version 2" in cli("show", "order").stdout
    assert "flow payment, version 1" in cli("show", "order", "--version", "1").stdout
    assert "on failure: mend" in cli("show", "order").stdout

"""paths."""

import json
from pathlib import Path

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.store.flows import FlowBuilder
from tests.unit.cli.conftest import Cli

BRANCHING = (
    Flow("order")
    .branch(
        "check",
        rules=[{"when": "output.paid", "then": "receipt", "label": "paid"}],
        default_path="remind",
    )
    .step("receipt", depends_on="check")
    .step("remind", depends_on="check")
    .loop(
        "again",
        depends_on="remind",
        back_to="remind",
        condition="output.open",
        max_iterations=5,
        break_path="close",
        timeout_path="give_up",
    )
    .step("close", depends_on="again")
    .step("give_up", depends_on="again")
)
LINES = """\
check -(paid)-> receipt
check -(default)-> remind -> again -(break)-> close
check -(default)-> remind -> again -(timeout)-> give_up
again -(again)-> remind: a loop of at most 5 iterations
"""


def write(folder: Path, flow: Flow) -> str:
    file = folder / "flow.json"
    file.write_text(json.dumps(flow.to_json()))
    return str(file)


def diamonds(count: int) -> Flow:
    flow = Flow("many").step("a0")
    for number in range(count):
        for side in "bc":
            flow = flow.step(f"{side}{number}", depends_on=f"a{number}")
        flow = flow.step(f"a{number + 1}", depends_on=[f"b{number}", f"c{number}"])
    return flow


def test_ways_have_their_routes_and_loops_stand_behind_them(cli: Cli, builder: FlowBuilder) -> None:
    builder.define_flow(BRANCHING)
    assert cli("paths", "order").stdout == LINES
    assert cli("paths", "order@1").stdout == LINES


def test_a_file_needs_no_database(offline_cli: Cli, tmp_path: Path) -> None:
    result = offline_cli("paths", write(tmp_path, BRANCHING), "--json")
    document = json.loads(result.stdout)
    assert (document["count"], len(document["ways"])) == (3, 3)
    assert document["ways"][0] == [{"step": "check"}, {"step": "receipt", "route": "paid"}]
    assert document["loops"] == [{"from": "again", "to": "remind", "max_iterations": 5}]


def test_a_failure_of_a_flow_inside_is_a_route(offline_cli: Cli, tmp_path: Path) -> None:
    flow = (
        Flow("order")
        .subflow("pay", flow="payment", on_failure="sorry")
        .step("thank", depends_on="pay")
        .step("sorry", depends_on="pay")
    )
    (tmp_path / "flow.json").write_text(
        json.dumps([flow.to_json(), Flow("payment").step("charge").to_json()])
    )
    result = offline_cli("paths", write(tmp_path, flow))
    assert result.stdout == "pay -> thank\npay -(failure)-> sorry\n"


def test_of_very_many_ways_some_are_listed_and_all_are_counted(
    offline_cli: Cli, tmp_path: Path
) -> None:
    few = offline_cli("paths", write(tmp_path, diamonds(20)), "--limit", "3")
    assert len(few.stdout.splitlines()) == 3
    assert "There are 1,048,576 ways" in few.stderr
    many = write(tmp_path, diamonds(60))
    assert "more than 1,000,000,000,000,000 ways" in offline_cli("paths", many).stderr
    assert json.loads(offline_cli("paths", many, "--json").stdout)["count"] is None


def test_a_flow_without_steps_has_no_ways(cli: Cli, builder: FlowBuilder) -> None:
    builder.define_flow(Flow("empty"))
    result = cli("paths", "empty")
    assert (result.exit_code, result.stdout) == (0, "")


def test_a_flow_that_there_is_not_is_told(cli: Cli) -> None:
    result = cli("paths", "nothing")
    assert result.exit_code == 1
    assert "nothing" in result.stderr

"""Branches, joins and loops in load, show, diff, export, schema and validate."""

import json
from pathlib import Path

import jsonschema
import pytest

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.store.flows import FlowBuilder
from tests.postgres import Session
from tests.unit.cli.conftest import Cli

CLAIM = (
    Flow("claim")
    .step("assess")
    .branch(
        "route",
        rules=[("output.score > 80", "pay"), ("output.score > 40", ["review", "note"])],
        default_path="refuse",
        depends_on="assess",
    )
    .step("pay", depends_on="route")
    .step("review", depends_on="route")
    .step("note", depends_on="route")
    .step("refuse", depends_on="route")
    .join("done", wait="any", depends_on=["pay", "review"])
    .join("most", wait=2, depends_on=["note", "done", "refuse"])
    .loop(
        "again",
        back_to="again",
        condition="ctx.iteration < 2",
        max_iterations=3,
        break_path="tell",
        timeout_path="warn",
        depends_on="most",
        handler="ask",
    )
    .step("tell", depends_on="again")
    .step("warn", depends_on="again")
)
SQL = """
select pgflow.create_flow('claim');
select pgflow.add_step('claim', 'assess');
select pgflow.add_step('claim', 'route', '{assess}', step_type => 'branch', rules =>
  '[{"when": "output.score > 80", "then": ["pay"]},
    {"when": "output.score > 40", "then": ["review", "note"]}]', default_path => '{refuse}');
select pgflow.add_step('claim', slug, '{route}')
from unnest('{pay,review,note,refuse}'::text[]) as slug;
select pgflow.add_step('claim', 'done', '{pay,review}', step_type => 'join', wait => 'any');
select pgflow.add_step('claim', 'most', '{note,done,refuse}', step_type => 'join', wait => '2');
select pgflow.add_step('claim', 'again', '{most}', step_type => 'loop', back_to => 'again',
  condition => 'ctx.iteration < 2', max_iterations => 3, break_path => '{tell}',
  timeout_path => '{warn}', handler => 'ask');
select pgflow.add_step('claim', 'tell', '{again}');
select pgflow.add_step('claim', 'warn', '{again}');
"""


def test_a_file_of_sql_makes_the_flow_that_python_makes(
    cli: Cli, builder: FlowBuilder, tmp_path: Path
) -> None:
    file = tmp_path / "claim.sql"
    file.write_text(SQL)
    result = cli("load", "--strict", str(file))
    assert (result.stdout, result.stderr) == ("claim: stored as version 1 (claim.sql)\n", "")
    assert builder.get_flow("claim") == CLAIM
    assert builder.define_flow(CLAIM) == 1


@pytest.mark.parametrize("name", ["claim.yaml", "claim.json"])
def test_an_exported_flow_is_loaded_without_a_change(
    cli: Cli, builder: FlowBuilder, tmp_path: Path, name: str
) -> None:
    builder.define_flow(CLAIM)
    file = str(tmp_path / name)
    cli("export", "claim", "-o", file)
    assert cli("diff", "claim", file).exit_code == 0
    assert cli("load", file).stdout == f"claim: unchanged, version 1 ({name})\n"
    builder.delete_flow("claim")
    assert cli("load", file).stdout == f"claim: stored as version 3 ({name})\n"
    assert builder.get_flow("claim") == CLAIM


def test_a_flow_is_shown_with_its_ways(cli: Cli, builder: FlowBuilder) -> None:
    builder.define_flow(CLAIM)
    shown = " ".join(cli("show", "claim").stdout.split())
    for told in (
        "pay if output.score > 80; review, note if output.score > 40; otherwise refuse",
        "waits for any",
        "waits for 2",
        "back to again while ctx.iteration < 2, 3 times at most; then tell; warn if it still holds",
        "hands on what it receives",
    ):
        assert told in shown
    [route] = [line for line in cli("show", "claim").stdout.splitlines() if "hands on" in line]
    assert "60 s" not in route


def test_the_schema_knows_ways(cli: Cli, offline_cli: Cli) -> None:
    schema = json.loads(offline_cli("schema").stdout)
    jsonschema.validate(CLAIM.to_json(), schema)
    for wait in ("most", True, 1.5):
        wrong = {"slug": "f", "steps": [{"type": "join", "slug": "j", "wait": wait}]}
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(wrong, schema)


def test_a_change_of_a_way_is_told(cli: Cli, builder: FlowBuilder) -> None:
    builder.define_flow(CLAIM)
    document = CLAIM.to_json()
    steps = {step["slug"]: step for step in document["steps"]}
    steps["route"]["default_path"] = ["refuse", "note"]
    steps["done"]["wait"] = 1
    steps["most"].pop("wait")
    steps["again"]["max_iterations"] = 4
    builder.define_flow(Flow.model_validate(document))
    assert cli("diff", "claim@1", "claim@2").stdout.splitlines() == [
        '~ steps.route.default_path: ["refuse"] -> ["refuse", "note"]',
        '~ steps.done.wait: "any" -> 1',
        "- steps.most.wait: 2",
        "~ steps.again.max_iterations: 3 -> 4",
    ]


def test_all_that_is_wrong_is_told_at_once_and_nothing_is_stored(
    cli: Cli, tmp_path: Path, sql: Session
) -> None:
    steps = [
        {"type": "branch", "slug": "b", "rules": [{"when": "outptu.x", "then": ["c"]}]},
        {"type": "join", "slug": "j", "depends_on": ["b"], "wait": 3},
        {"type": "loop", "slug": "l", "back_to": "x", "condition": "true", "max_iterations": 0},
    ]
    file = tmp_path / "bad.json"
    file.write_text(json.dumps({"slug": "bad", "steps": steps}))
    told = cli("validate", str(file)).stdout
    for code in (
        "invalid-expression",
        "target-unknown",
        "join-of-too-few",
        "loop-start-unknown",
        "iterations-out-of-range",
    ):
        assert f"[{code}]" in told
    assert cli("load", str(file)).exit_code == 1
    assert sql.value("select count(*) from pgflow.flows") == 0

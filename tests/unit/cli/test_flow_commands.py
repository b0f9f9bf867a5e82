"""load, validate, list, show and schema."""

import json
import re
import sys
from pathlib import Path

import jsonschema
import pytest

from dagster_pgflow.examples import FLOW_FILES
from tests.postgres import Session
from tests.unit.cli.conftest import Cli

FLOW = '{"slug": "a", "steps": [{"type": "single", "slug": "s"}]}'
ODD = '{"slug": "odd", "steps": [{"type": "single", "slug": "s", "when_unmet": "fail"}]}'
BAD = '{"slug": "9", "steps": [{"type": "map", "slug": "m", "depends_on": ["x", "y"]}]}'


def write(folder: Path, name: str, text: str) -> str:
    (folder / name).write_text(text)
    return str(folder / name)


def test_the_examples_load_and_are_listed(cli: Cli) -> None:
    loaded = cli("load", "--examples")
    assert loaded.exit_code == 0
    assert "order.confirm, order.decline, order.prepare, payment.charge" in loaded.stderr
    assert "handlers=[..., dagster_pgflow.examples.handlers]" in loaded.stderr
    listed = json.loads(cli("list", "--json").stdout)
    assert [flow["slug"] for flow in listed] == ["ai_workflow", "measure_docs", "order", "payment"]
    assert "measure_docs" in cli("list").stdout


def test_loading_says_what_became_of_each_flow(cli: Cli, tmp_path: Path) -> None:
    file = write(tmp_path, "a.json", FLOW)
    assert cli("load", file).stdout == "a: stored as version 1 (a.json)\n"
    assert cli("load", file).stdout == "a: unchanged, version 1 (a.json)\n"
    [change] = json.loads(cli("load", file, "--json").stdout)
    assert (change["slug"], change["version"], change["is_new"]) == ("a", 1, False)


def test_loading_tells_all_problems_of_all_files_and_changes_nothing(
    cli: Cli, tmp_path: Path, sql: Session
) -> None:
    good, bad = write(tmp_path, "a.json", FLOW), write(tmp_path, "b.json", BAD)
    script = write(tmp_path, "c.sql", "select pgflow.create_flow('run');")
    result = cli("load", good, bad, script)
    assert (result.exit_code, result.stdout) == (1, "")
    for code in ("invalid-slug", "unknown-dependency", "map-with-many-dependencies"):
        assert f"[{code}]" in result.stderr
    assert f"{script}: line 1:" in result.stderr
    assert sql.value("select count(*) from pgflow.flows") == 0


def test_loading_nothing_is_a_usage_error(offline_cli: Cli) -> None:
    assert offline_cli("load").exit_code == 2


def test_a_file_that_is_not_there_and_one_of_another_kind_are_errors(
    offline_cli: Cli, tmp_path: Path
) -> None:
    assert "cannot be read: No such file" in offline_cli("load", "none.yaml").stderr
    assert "is not a flow file" in offline_cli("validate", write(tmp_path, "a.txt", "")).stderr


def test_validation_needs_no_database_for_files_that_are_whole(
    offline_cli: Cli, tmp_path: Path
) -> None:
    whole = [str(path) for path in FLOW_FILES if path.suffix != ".sql"]
    assert offline_cli("validate", *whole).stdout == "No problems in 2 files.\n"
    result = offline_cli("validate", write(tmp_path, "b.json", BAD))
    assert result.exit_code == 1
    assert result.stdout.endswith("4 problems in 1 file.\n")


def test_validation_as_json_names_file_code_path_and_sentence(
    offline_cli: Cli, tmp_path: Path
) -> None:
    file = write(tmp_path, "b.json", BAD)
    result = offline_cli("validate", "--json", file)
    assert result.exit_code == 1
    found = json.loads(result.stdout)
    assert {"file": file, "code": "unknown-dependency", "path": "steps.m.depends_on"}.items() <= (
        found[1].items()
    )


def test_warnings_are_told_and_stop_nothing(cli: Cli, tmp_path: Path) -> None:
    odd = write(tmp_path, "odd.json", ODD)
    line = f"{odd}: warning: steps.s.when_unmet: "
    validated, loaded = cli("validate", odd), cli("load", odd)
    assert (validated.exit_code, loaded.exit_code) == (0, 0)
    assert validated.stdout.startswith(line)
    assert validated.stdout.endswith("No problems and 1 warning in 1 file.\n")
    assert loaded.stderr.startswith(line)
    assert loaded.stdout == "odd: stored as version 1 (odd.json)\n"
    [document] = json.loads(cli("validate", odd, "--json").stdout)
    assert (document["severity"], document["code"]) == ("warning", "when-unmet-without-condition")


def test_strictly_warnings_are_problems(cli: Cli, tmp_path: Path, sql: Session) -> None:
    good, odd = write(tmp_path, "a.json", FLOW), write(tmp_path, "odd.json", ODD)
    validated, loaded = cli("validate", "--strict", good, odd), cli("load", "--strict", good, odd)
    assert (validated.exit_code, loaded.exit_code) == (1, 1)
    assert validated.stdout.endswith("1 problem in 2 files.\n")
    assert loaded.stderr.endswith("1 problem; nothing was changed.\n")
    assert sql.value("select count(*) from pgflow.flows") == 0
    assert cli("load", "--strict", good).exit_code == 0


def test_warnings_are_told_about_flows_of_scripts_too(cli: Cli, tmp_path: Path) -> None:
    text = "select pgflow.create_flow('o'); select pgflow.add_step('o', 's', when_unmet => 'fail');"
    script = write(tmp_path, "o.sql", text)
    assert "1 warning" in cli("validate", script).stdout
    assert cli("load", "--strict", script).exit_code == 1
    loaded = cli("load", script)
    assert (loaded.exit_code, "[when-unmet-without-condition]" in loaded.stderr) == (0, True)


def test_validation_runs_sql_and_undoes_it(cli: Cli, sql: Session) -> None:
    script = next(str(path) for path in FLOW_FILES if path.suffix == ".sql")
    assert cli("validate", script).stdout == "No problems in 1 file.\n"
    assert sql.value("select count(*) from pgflow.flows") == 0


def test_validation_knows_the_stored_flows(cli: Cli, tmp_path: Path) -> None:
    outer = '{"slug": "o", "steps": [{"type": "subflow", "slug": "s", "flow": "a"}]}'
    file = write(tmp_path, "o.json", outer)
    assert "[unknown-subflow]" in cli("validate", file).stdout
    cli("load", write(tmp_path, "a.json", FLOW))
    assert cli("validate", file).exit_code == 0


@pytest.mark.parametrize("text", [FLOW, "slug: a\nsteps: [{type: single, slug: s}]\n", f"[{FLOW}]"])
def test_json_and_yaml_come_from_standard_input_too(cli: Cli, text: str) -> None:
    assert cli("validate", "-", input=text).stdout == "No problems in 1 file.\n"
    assert cli("load", "-", input=text).stdout == "a: stored as version 1 (standard input)\n"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (BAD, "standard input: slug: "),
        ('{"slug": ', "standard input: line 1, column 10: This is not JSON"),
        ("slug: a: b", "standard input: line 1, column 8: This is not YAML"),
        ("", "standard input: $: The file holds no flow"),
    ],
)
def test_what_is_wrong_with_standard_input_is_told(cli: Cli, text: str, told: str) -> None:
    validated, loaded = cli("validate", "-", input=text), cli("load", "-", input=text)
    assert (validated.exit_code, loaded.exit_code) == (1, 1)
    assert validated.stdout.startswith(told)
    assert loaded.stderr.startswith(told)


def test_standard_input_is_read_once(offline_cli: Cli) -> None:
    assert offline_cli("load", "-", "-", input=FLOW).exit_code == 2


def test_what_cannot_be_read_and_what_breaks_rules_are_told_in_one_go(
    cli: Cli, tmp_path: Path
) -> None:
    typo = FLOW.replace('"slug": "s"', '"slug": "s", "deps": ["ghost"]')
    files = [write(tmp_path, "typo.json", typo), write(tmp_path, "bad.json", BAD)]
    for told in (cli("validate", *files).stdout, cli("load", *files).stderr):
        assert '"depends_on" may be meant' in told
        assert '"ghost", which is not a step' in told
        assert "[map-with-many-dependencies]" in told


def test_a_shown_flow_can_be_loaded_again(cli: Cli, tmp_path: Path) -> None:
    cli("load", "--examples")
    shown = cli("show", "payment", "--json").stdout
    result = cli("load", write(tmp_path, "payment.json", shown))
    assert result.stdout == "payment: unchanged, version 1 (payment.json)\n"


def test_a_flow_is_shown_with_its_steps(cli: Cli) -> None:
    cli("load", "--examples")
    shown = cli("show", "order").stdout
    assert "Takes an order and its payment" in shown
    assert "flow payment" in shown
    assert "order.confirm" in shown
    [subflow] = [line for line in shown.splitlines() if "subflow" in line]
    _, _, behind = subflow.partition("flow payment, version 1")
    assert not re.search(r"\d", behind)  # attempts, delay and timeout are those of its steps


def test_an_unknown_flow_is_told(cli: Cli) -> None:
    result = cli("show", "none")
    assert result.exit_code == 1
    assert 'There is no flow "none"' in result.stderr


def test_the_schema_fits_what_show_prints(cli: Cli) -> None:
    cli("load", "--examples")
    schema = json.loads(cli("schema").stdout)
    for slug in ("ai_workflow", "measure_docs", "order", "payment"):
        jsonschema.validate(json.loads(cli("show", slug, "--json").stdout), schema)


def test_without_flows_the_list_says_what_to_do(cli: Cli) -> None:
    assert "load --examples" in cli("list").stdout


def test_a_database_without_schema_says_what_to_do(
    cli: Cli, empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGFLOW_DATABASE_URL", empty_database_url)
    assert "run `dagster-pgflow migrate`" in cli("list").stderr
    assert "Applied migration 1" in cli("migrate").stdout
    assert "is up to date" in cli("migrate").stdout
    assert cli("list").exit_code == 0


def test_the_sql_of_the_migrations_can_be_printed_without_a_database(offline_cli: Cli) -> None:
    printed = offline_cli("migrate", "--print-sql").stdout
    assert printed.startswith("begin;")
    assert "create table pgflow.flows" in printed


def test_the_schemas_of_the_node_types_are_there_too(offline_cli: Cli) -> None:
    schemas = json.loads(offline_cli("schema", "--node-types").stdout)
    assert {"pgflow.http", "pgflow.transform", "pgflow.filter", "pgflow.aggregate"} <= {*schemas}
    params = {"url": "https://example.org", "expected_status": ["2xx", 404]}
    jsonschema.validate(params, schemas["pgflow.http"])
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"url": "https://example.org", "x": 1}, schemas["pgflow.http"])


def test_validation_asks_handlers_what_params_they_take(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    name = f"handlers_{tmp_path.name}".replace("-", "_")
    write(
        tmp_path,
        f"{name}.py",
        "from pydantic import BaseModel\nfrom dagster_pgflow import handler\n"
        "class Slack(BaseModel):\n    channel: str\n"
        "@handler('slack', params=Slack)\ndef slack(value): ...\n",
    )
    step = '{"type": "single", "slug": "s", "handler": "slack", "params": {"channel": 5}}'
    file = write(tmp_path, "f.json", f'{{"slug": "f", "steps": [{step}]}}')
    script = write(
        tmp_path,
        "g.sql",
        "select pgflow.create_flow('g'); select pgflow.add_step('g', 's', handler => 'slack');",
    )
    assert cli("validate", file, script).exit_code == 0
    told = cli("validate", "--handlers", name, file)
    assert told.exit_code == 1
    assert told.stdout.startswith(
        f"{file}: steps.s.params.channel: Input should be a valid string; got 5. [wrong-param]\n"
    )
    told = cli("validate", "--handlers", name, script)
    assert 'g.steps.s.params.channel: slack needs "channel"; add it to the params.' in told.stdout
    sys.path.remove(str(tmp_path))


def test_a_module_that_cannot_be_imported_is_told(offline_cli: Cli, tmp_path: Path) -> None:
    told = offline_cli("validate", "--handlers", "no.such", write(tmp_path, "a.json", FLOW))
    assert told.exit_code == 1
    assert 'The module "no.such" cannot be imported: No module named' in told.stderr


def test_load_prints_every_problem_as_json_and_stores_nothing(cli: Cli, tmp_path: Path) -> None:
    steps = '[{"slug": "a", "depends_on": "b"}, {"slug": "c", "type": "mpa"}]'
    file = write(tmp_path, "a.json", f'{{"slug": "f", "steps": {steps}}}')
    result = cli("load", "--json", file)
    error = json.loads(result.stdout)["error"]
    assert (result.exit_code, error["code"]) == (1, "invalid-flow")
    assert error["message"] == "2 problems; nothing was changed."
    assert [(one["file"], one["path"], one["code"]) for one in error["problems"]] == [
        (file, "steps.1", "unknown-step-type"),
        (file, "steps.a.depends_on", "unknown-dependency"),
    ]
    assert json.loads(cli("list", "--json").stdout) == []


def test_a_slug_that_is_mistyped_is_told_with_the_one_that_is_meant(
    cli: Cli, tmp_path: Path
) -> None:
    cli("load", write(tmp_path, "a.json", '{"slug": "order", "steps": [{"slug": "s"}]}'))
    for command in (
        *(["show", "ordr"], ["start", "ordr"], ["versions", "ordr"], ["delete", "ordr", "--yes"]),
        *(["status", "--flow", "ordr"], ["waiting", "--flow", "ordr"], ["export", "ordr"]),
        *(["paths", "ordr"], ["diff", "ordr", "order"], ["brief", "ordr", "s"]),
    ):
        told = cli(*command).stderr
        assert told.startswith('Error: There is no flow "ordr" ("order" may be meant);'), told


def test_handlers_are_listed_with_what_they_take_and_return(offline_cli: Cli) -> None:
    module = "dagster_pgflow.examples.handlers"
    listed = {
        one["name"]: one for one in json.loads(offline_cli("handlers", module, "--json").stdout)
    }
    assert listed["order.confirm"]["description"] == "Tell the customer."
    assert listed["order.confirm"]["input_schema"]["required"] == ["payment"]
    assert listed["order.confirm"]["kind"] == "handler"
    http = listed["pgflow.http"]
    assert http["kind"] == "node type"
    assert http["params_schema"]["properties"]["method"]["description"] == "The method."
    lines = offline_cli("handlers", module).stdout
    assert "order.confirm\n  Tell the customer.\n  takes: object with payment\n" in lines


def test_validate_tells_of_handlers_that_nobody_registers(offline_cli: Cli, tmp_path: Path) -> None:
    steps = (
        '[{"slug": "prepare"}, {"slug": "a", "handler": "order.confrim", "before": "nobody"},'
        ' {"slug": "b", "handler": "pgflow.pick"},'
        ' {"slug": "c", "type": "branch", "depends_on": "b", "rules": [["true", "d"]]},'
        ' {"slug": "d", "handler": "order.confirm", "depends_on": "c"}]'
    )
    file = write(tmp_path, "a.json", f'{{"slug": "order", "steps": {steps}}}')
    assert offline_cli("validate", file).exit_code == 0
    told = offline_cli("validate", "--json", "--handlers", "dagster_pgflow.examples.handlers", file)
    assert [(one["code"], one["path"]) for one in json.loads(told.stdout)] == [
        ("unknown-handler", "steps.a.handler"),
        ("unknown-handler", "steps.a.before"),
    ]
    assert '("order.confirm" may be meant)' in json.loads(told.stdout)[0]["message"]


def test_a_row_that_a_function_returns_is_shown_field_by_field(cli: Cli) -> None:
    hostile = """a, "b" (c) \\ ' é"""
    quoted = hostile.replace("'", "''")
    shown = cli("sql", f"select pgflow.create_flow('f', 7, description => '{quoted}')").stdout
    assert "flow_slug: f" in shown
    assert "opt_max_attempts: 7" in shown
    assert "opt_concurrency_key" not in shown
    step = (
        """select pgflow.add_step('f', 's', params => '{"n": [null]}'), row(1, 2) as plain,"""
        " null::pgflow.steps as nothing"
    )
    [found] = json.loads(cli("sql", step, "--json").stdout)
    assert (found["add_step"]["step_slug"], found["add_step"]["step_index"]) == ("s", 0)
    assert found["add_step"]["params"] == {"n": [None]}
    assert (found["nothing"], found["plain"]) == (None, "(1,2)")
    [found] = json.loads(cli("sql", "select flow from pgflow.flows as flow", "--json").stdout)
    assert found["flow"]["description"] == hostile

"""Workflow documents on the command line: load, validate, export, schema."""

import json
from pathlib import Path

import pytest
import yaml

from dagster_pgflow import FlowBuilder, read_workflow
from dagster_pgflow.dsl.workflow.schema import workflow_schema
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.stored_form import stored_form
from dagster_pgflow.validation.validate import parse_flow
from tests.unit.cli.conftest import Cli
from tests.workflow_documents import FOLDER, NAMES, document

NAMELESS = {"nodes": [{"id": "a", "type": "function"}], "edges": []}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("suffix", ["json", "yaml"])
def test_a_document_is_stored_and_written_back(
    cli: Cli, builder: FlowBuilder, tmp_path: Path, name: str, suffix: str
) -> None:
    loaded = cli("load", str(FOLDER / f"{name}.json"))
    assert loaded.exit_code == 0, loaded.output
    flow = read_workflow(document(name), slug=name)
    assert builder.get_flow(flow.slug) == parse_flow(stored_form(flow))

    file = str(tmp_path / f"again.{suffix}")
    assert cli("export", flow.slug, "--workflow", "-o", file).exit_code == 0
    again = cli("load", file)
    assert again.stdout == f"{flow.slug}: unchanged, version 1 (again.{suffix})\n"


def test_a_document_without_a_name_is_called_as_its_file(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "daily report.json").write_text(json.dumps(NAMELESS))
    loaded = cli("load", str(tmp_path / "daily report.json"))
    assert loaded.stdout == "daily_report: stored as version 1 (daily report.json)\n"


@pytest.mark.parametrize("name", NAMES)
def test_sound_documents_are_valid(offline_cli: Cli, name: str) -> None:
    result = offline_cli("validate", str(FOLDER / f"{name}.json"))
    assert (result.exit_code, result.output) == (0, "No problems in 1 file.\n")


def test_every_problem_is_printed_with_its_place(offline_cli: Cli, tmp_path: Path) -> None:
    given = document("branch")
    given["edges"][1]["condition"] = "output.score >"
    given["nodes"][2]["type"] = "functoin"
    file = tmp_path / "bad.yaml"
    file.write_text(yaml.safe_dump(given))
    result = offline_cli("validate", str(file), "--json")
    assert result.exit_code == 1
    assert [(one["code"], one["path"]) for one in json.loads(result.output)] == [
        ("unknown-type", "nodes[2].type"),
        ("invalid-expression", "edges[1].condition"),
    ]


def test_documents_stand_beside_flows_and_in_lists(offline_cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "both.json"
    file.write_text(json.dumps([document("fan_in"), {"slug": "plain"}, {"nodes": 5}]))
    result = offline_cli("validate", str(file))
    assert result.output.splitlines() == [
        f"{file}: [2].nodes: Input should be a list; got 5. [wrong-value]",
        f"{file}: [2].metadata.name: The workflow has no name; add it. [no-name]",
        "2 problems in 1 file.",
    ]


def test_standard_input_may_be_a_document_too(cli: Cli) -> None:
    result = cli("load", "-", input=json.dumps(document("sequence")))
    assert result.stdout == "parcel_label: stored as version 1 (standard input)\n"
    assert "has no name" in cli("load", "-", input=json.dumps(NAMELESS)).output


def test_what_documents_cannot_say_is_not_exported(cli: Cli, builder: FlowBuilder) -> None:
    builder.define_flow(Flow("f"))
    result = cli("export", "f", "--workflow")
    assert result.exit_code == 1
    assert "cannot express a flow without steps" in result.output
    assert "no subflows" in cli("export", "f", "--workflow", "--with-subflows").output


def test_the_schema_of_documents_is_printed(offline_cli: Cli) -> None:
    assert json.loads(offline_cli("schema", "--workflow").stdout) == workflow_schema()

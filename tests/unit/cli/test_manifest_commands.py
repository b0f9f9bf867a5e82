"""Manifests on the command line: load, validate, diff, schema."""

import json
from pathlib import Path

import pytest

from dagster_pgflow import FlowBuilder, read_manifest
from dagster_pgflow.dsl.manifest.document_shape import manifest_schema
from dagster_pgflow.model.steps import SubflowStep
from dagster_pgflow.model.stored_form import stored_form
from dagster_pgflow.validation.validate import parse_flow
from tests.unit.cli.conftest import Cli

FOLDER = Path(__file__).parents[2] / "manifests"
ORDER, PAYMENT = str(FOLDER / "order.edn"), str(FOLDER / "payment.edn")


def test_a_manifest_is_stored_as_a_flow(cli: Cli, builder: FlowBuilder) -> None:
    loaded = cli("load", PAYMENT)
    assert loaded.stdout == "payment_process_order: stored as version 1 (payment.edn)\n"
    flow = read_manifest((FOLDER / "payment.edn").read_text())
    assert builder.get_flow(flow.slug) == parse_flow(stored_form(flow))
    again = cli("load", str(FOLDER / "payment.yaml"))
    assert again.stdout == "payment_process_order: unchanged, version 1 (payment.yaml)\n"
    assert "payment_process_order, version 1" in cli("show", flow.slug).stdout
    assert cli("diff", flow.slug, PAYMENT).exit_code == 0


def test_a_flow_leaves_as_edn_and_comes_back_unchanged(cli: Cli, tmp_path: Path) -> None:
    assert cli("load", PAYMENT, ORDER).exit_code == 0
    file = tmp_path / "order.edn"
    asked = ("export", "shop_order", "--with-subflows", "--manifest")
    assert cli(*asked, "-o", str(file)).exit_code == 0
    assert cli("load", str(file)).stdout == (
        "shop_order: unchanged, version 1 (order.edn)\n"
        "payment_process_order: unchanged, version 1 (order.edn)\n"
    )
    assert cli(*asked, "--format", "edn").stdout == file.read_text()


def test_only_manifests_are_written_as_edn(cli: Cli, tmp_path: Path) -> None:
    refused = cli("export", "order", "-o", str(tmp_path / "order.edn"))
    assert refused.exit_code == 2
    assert "EDN is what manifests are written in; add --manifest." in refused.stderr


def test_a_cell_runs_a_flow_that_is_stored_or_loaded_with_it(
    cli: Cli, builder: FlowBuilder
) -> None:
    assert cli("load", PAYMENT, ORDER).exit_code == 0
    order = builder.get_flow("shop_order")
    assert [step.flow for step in order.steps if isinstance(step, SubflowStep)] == [
        "payment_process_order"
    ]
    again = cli("load", ORDER)
    assert again.stdout == "shop_order: unchanged, version 1 (order.edn)\n"
    assert cli("validate", ORDER).exit_code == 0
    assert cli("diff", "shop_order", ORDER).exit_code == 0


def test_sound_manifests_are_valid_without_a_database(offline_cli: Cli) -> None:
    names = [ORDER, PAYMENT, str(FOLDER / "expense.edn")]
    result = offline_cli("validate", *names)
    assert (result.exit_code, result.stdout) == (0, "No problems in 3 files.\n")


def test_every_problem_is_printed_with_its_line_and_column(
    offline_cli: Cli, tmp_path: Path
) -> None:
    file = tmp_path / "bad.edn"
    file.write_text("{:cells {:start {:idd :a}}\n :edges {:start :end}\n :timeout 5}")
    result = offline_cli("validate", str(file), "--json")
    assert result.exit_code == 1
    assert [(one["code"], one["path"]) for one in json.loads(result.stdout)] == [
        ("unknown-field", "cells.start.idd (line 1, column 18)"),
        ("unknown-field", "timeout (line 3, column 2)"),
    ]


@pytest.mark.parametrize("name", ["payment.edn", "payment.yaml"])
def test_standard_input_is_read_whatever_its_language(offline_cli: Cli, name: str) -> None:
    result = offline_cli("validate", "-", input=(FOLDER / name).read_text())
    assert (result.exit_code, result.stdout) == (0, "No problems in 1 file.\n")


def test_the_schema_is_printed(offline_cli: Cli) -> None:
    assert json.loads(offline_cli("schema", "--manifest").stdout) == manifest_schema()
    assert offline_cli("schema", "--manifest", "--workflow").exit_code == 2


OLDER = (
    "{:cells {:start {:id :h :schema {:output {:ok [:map [:a :int]]}}}}"
    " :edges {:start {:ok :end}} :dispatches {:start [[:ok (constantly true)]]}}"
)


def test_an_older_form_is_understood_and_warned_of(offline_cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "old.edn"
    file.write_text(OLDER)
    result = offline_cli("validate", str(file), "--json")
    assert result.exit_code == 0
    assert [(one["severity"], one["code"], one["path"]) for one in json.loads(result.stdout)] == [
        ("warning", "older-form", "cells.start.schema.output (line 1, column 42)")
    ]
    assert offline_cli("validate", str(file), "--strict").exit_code == 1
    with pytest.warns(UserWarning, match="per-transition"):
        read_manifest(OLDER)


def test_no_database_is_asked_for_a_flow_where_something_else_is_wrong(
    offline_cli: Cli, tmp_path: Path
) -> None:
    file = tmp_path / "bad.edn"
    file.write_text(
        "{:cells {:start :shop/order :lost :h}"
        " :edges {:start {:success :end :failure :error} :lost :end}}"
    )
    result = offline_cli("validate", str(file), "--json")
    assert result.exit_code == 1
    assert "unreachable-cell" in [one["code"] for one in json.loads(result.stdout)]


def test_a_wrong_predicate_is_told_without_a_database(offline_cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "bad.edn"
    file.write_text(
        "{:cells {:start :shop/order} :edges {:start {:success :end :failure :error}}"
        " :dispatches {:start [[:success (fn [d] (count d))] [:failure (constantly true)]]}}"
    )
    result = offline_cli("validate", str(file), "--json")
    assert [one["code"] for one in json.loads(result.stdout)] == ["wrong-predicate"]

"""Conditions in CEL on their way from a file into the store and back."""

import json
from pathlib import Path

from tests.unit.cli.conftest import Cli

FLOW = """
slug: parcel
steps:
  - {type: single, slug: weigh}
  - type: map
    slug: label
    depends_on: [weigh]
    run_if: size(output) > 0 && flow_input.express
    run_unless: "deps.weigh.exists(part, part.grams > 5000)"
"""


def test_a_file_with_expressions_is_stored_shown_and_written_back(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "parcel.yaml").write_text(FLOW)
    assert cli("load", str(tmp_path / "parcel.yaml")).exit_code == 0
    _, label = json.loads(cli("show", "parcel", "--json").stdout)["steps"]
    assert label["run_if"] == "size(output) > 0 && flow_input.express"
    assert label["run_unless"] == "deps.weigh.exists(part, part.grams > 5000)"
    assert "run if size(output) > 0" in " ".join(cli("show", "parcel").stdout.split())
    (tmp_path / "again.yaml").write_text(cli("export", "parcel").stdout)
    assert "unchanged" in cli("load", str(tmp_path / "again.yaml")).stdout


def test_a_problem_is_told_with_its_place(offline_cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "parcel.yaml"
    file.write_text(FLOW.replace("flow_input.express", "flow_inptu.express"))
    result = offline_cli("validate", str(file), "--json")
    assert result.exit_code == 1
    [found] = json.loads(result.stdout)
    assert (found["code"], found["path"]) == ("invalid-expression", "steps.label.run_if")
    assert 'line 1, column 21: there is no "flow_inptu"' in found["message"]


def test_the_schema_of_flow_files_knows_expressions(offline_cli: Cli) -> None:
    kinds = json.loads(offline_cli("schema").stdout)["$defs"]
    for kind in ("SingleStep", "MapStep", "SubflowStep"):
        assert {"run_if", "run_unless"} <= kinds[kind]["properties"].keys()

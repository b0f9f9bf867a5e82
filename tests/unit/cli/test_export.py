"""export, and load as its way back."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.store.flows import FlowBuilder
from tests.drawn_flows import AWKWARD_JSON, AWKWARD_TEXTS, flows
from tests.postgres import Session
from tests.unit.cli.conftest import Cli

CONTENT = "select content_hash from pgflow.flow_versions where flow_slug = 'f' order by version_id"
OLD = Flow("order").step("fetch")
NEW = Flow("order").step("fetch", timeout=9)


@pytest.mark.parametrize("file_name", ["f.yaml", "f.json"])
@settings(
    max_examples=40,
)
@given(flow=flows(texts=AWKWARD_TEXTS, values=AWKWARD_JSON))
def test_loading_an_export_changes_nothing_and_restores_all(
    cli: Cli, builder: FlowBuilder, sql: Session, tmp_path: Path, *, file_name: str, flow: Flow
) -> None:
    builder.create_flow("child")
    version = builder.define_flow(flow)
    content = sql.column(CONTENT)[-1]
    file = str(tmp_path / file_name)
    assert cli("export", "f", "-o", file).exit_code == 0
    assert cli("load", file).stdout == f"f: unchanged, version {version} ({file_name})\n"

    builder.delete_flow("f")
    assert cli("load", file).exit_code == 0
    assert sql.column(CONTENT)[-1] == content
    assert cli("diff", f"f@{version}", file).exit_code == 0


def test_the_examples_come_back_as_they_were(cli: Cli, sql: Session, tmp_path: Path) -> None:
    cli("load", "--examples")
    count = sql.value("select count(*) from pgflow.flow_versions")
    for slug in ("ai_workflow", "measure_docs", "order", "payment"):
        for suffix in ("yaml", "json"):
            file = str(tmp_path / f"{slug}.{suffix}")
            cli("export", slug, "-o", file)
            assert f"{slug}: unchanged" in cli("load", file).stdout
    assert sql.value("select count(*) from pgflow.flow_versions") == count


def test_a_file_goes_to_standard_output_and_its_language_can_be_chosen(
    cli: Cli, builder: FlowBuilder, tmp_path: Path
) -> None:
    builder.define_flow(OLD)
    assert cli("export", "order").stdout == (
        "slug: order\nsteps:\n  - type: single\n    slug: fetch\n"
    )
    assert json.loads(cli("export", "order", "--format", "json").stdout) == OLD.to_json()
    file = tmp_path / "order.json"
    result = cli("export", "order", "-o", str(file))
    assert (result.stdout, result.stderr) == ("", f"Wrote order to {file}.\n")
    assert json.loads(file.read_text()) == OLD.to_json()


def test_an_older_version_can_be_written_and_loaded(
    cli: Cli, builder: FlowBuilder, tmp_path: Path
) -> None:
    builder.define_flow(OLD)
    builder.define_flow(NEW)
    file = str(tmp_path / "order.yaml")
    cli("export", "order", "--version", "1", "-o", file)
    assert cli("load", file).stdout == "order: stored as version 3 (order.yaml)\n"
    assert builder.get_flow("order") == OLD
    assert "has no version 9" in cli("export", "order", "--version", "9").stderr


def test_a_flow_travels_with_all_that_it_contains(
    cli: Cli, builder: FlowBuilder, tmp_path: Path
) -> None:
    inner, middle = Flow("inner").step("a"), Flow("middle").subflow("a", "inner")
    outer = Flow("outer").subflow("a", "middle")
    builder.define_flows([inner, middle, outer, Flow("other")])
    for name in ("all.yaml", "all.json"):
        file = str(tmp_path / name)
        cli("export", "outer", "--with-subflows", "-o", file)
        for slug in ("outer", "middle", "inner"):
            builder.delete_flow(slug)
        assert cli("load", file).exit_code == 0
        assert [builder.get_flow(flow.slug) for flow in (inner, middle, outer)] == [
            inner,
            middle,
            outer,
        ]


def test_a_subflow_that_is_not_stored_is_told_and_nothing_is_written(
    cli: Cli, builder: FlowBuilder, tmp_path: Path
) -> None:
    builder.define_flows([Flow("inner").step("a"), Flow("outer").subflow("s", "inner")])
    builder.delete_flow("inner", force=True)
    file = tmp_path / "all.yaml"
    result = cli("export", "outer", "--with-subflows", "-o", str(file))
    assert (result.exit_code, result.stdout, file.exists()) == (1, "", False)
    assert 'there is no flow "inner" (step "s" of flow "outer")' in result.stderr


def test_what_cannot_be_written_is_told(cli: Cli, builder: FlowBuilder, tmp_path: Path) -> None:
    builder.define_flow(OLD)
    assert 'There is no flow "nope"' in cli("export", "nope").stderr
    assert "cannot be written" in cli("export", "order", "-o", str(tmp_path / "no/x.yaml")).stderr
    ending = cli("export", "order", "-o", str(tmp_path / "order.txt"))
    assert (ending.exit_code, "must end in one of" in ending.stderr) == (2, True)
    both = cli("export", "order", "--version", "1", "--with-subflows")
    assert both.exit_code == 2

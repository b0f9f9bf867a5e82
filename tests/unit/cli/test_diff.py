"""diff."""

import json
from pathlib import Path

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.store.flows import FlowBuilder
from tests.unit.cli.conftest import Cli

OLD = Flow("order").step("fetch").step("charge", depends_on="fetch")
NEW = Flow("order").step("fetch", timeout=9).step("charge", depends_on="fetch")
LINE = '+ steps.fetch.options: {"timeout": 9}\n'


def write(folder: Path, name: str, *flows: Flow) -> str:
    documents = [flow.to_json() for flow in flows]
    (folder / name).write_text(json.dumps(documents))
    return str(folder / name)


def test_a_stored_flow_is_compared_with_a_file(
    cli: Cli, builder: FlowBuilder, tmp_path: Path
) -> None:
    builder.define_flow(OLD)
    file = write(tmp_path, "new.json", NEW)
    there, back = cli("diff", "order", file), cli("diff", file, "order")
    assert (there.exit_code, there.stdout) == (1, LINE)
    assert (back.exit_code, back.stdout) == (1, LINE.replace("+", "-"))
    cli("load", file)
    same = cli("diff", "order", file)
    assert (same.exit_code, same.stdout) == (0, "")


def test_versions_are_compared(cli: Cli, builder: FlowBuilder) -> None:
    builder.define_flow(OLD)
    builder.define_flow(NEW)
    assert cli("diff", "order@1", "order@2").stdout == LINE
    assert cli("diff", "order@1", "order").stdout == LINE
    assert cli("diff", "order@2", "order").exit_code == 0


def test_differences_as_json_hold_the_whole_values(cli: Cli, builder: FlowBuilder) -> None:
    builder.define_flow(OLD)
    builder.define_flow(NEW)
    result = cli("diff", "order@1", "order@2", "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout) == [
        {"kind": "added", "path": "steps.fetch.options", "after": {"timeout": 9}}
    ]


def test_files_need_no_database(offline_cli: Cli, tmp_path: Path) -> None:
    old, new = write(tmp_path, "old.json", OLD), write(tmp_path, "new.json", NEW)
    assert offline_cli("diff", old, new).stdout == LINE
    assert offline_cli("diff", old, old).exit_code == 0


def test_of_a_file_of_many_flows_the_one_of_this_name_is_taken(
    cli: Cli, builder: FlowBuilder, tmp_path: Path
) -> None:
    builder.define_flow(OLD)
    file = write(tmp_path, "all.json", Flow("a"), NEW)
    assert cli("diff", "order", file).stdout == LINE


def test_trouble_is_told_apart_from_differences(
    cli: Cli, builder: FlowBuilder, tmp_path: Path
) -> None:
    builder.define_flow(OLD)
    many = write(tmp_path, "all.json", Flow("a"), Flow("b"))
    bad = write(tmp_path, "bad.json", Flow("order").step("a", depends_on="b"))
    (tmp_path / "broken.yaml").write_text("slug: [")
    for other, says in {
        "nope": 'There is no flow "nope"',
        "order@7": "has no version 7",
        many: "holds 2 flows",
        bad: "[unknown-dependency]",
        str(tmp_path / "broken.yaml"): "This is not YAML",
        str(tmp_path / "none.yaml"): "cannot be read",
        "flow.txt": "is not a flow file",
    }.items():
        result = cli("diff", "order", other)
        assert (result.exit_code, result.stdout) == (2, "")
        assert says in result.stderr

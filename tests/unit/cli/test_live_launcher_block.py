"""doctor --fix: what stands in a dagster.yaml stays as it is, and one block comes to it."""

import json
import stat
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml

from dagster_pgflow.cli.live_launcher_block import with_live_launcher, write_live_launcher
from dagster_pgflow.errors import ConfigurationError
from dagster_pgflow.live_launcher import LiveRunLauncher
from dagster_pgflow.store.database import Database
from tests.live.seen_workers import enter
from tests.unit.cli.conftest import Cli

OURS = {"module": "dagster_pgflow.live_launcher", "class": "LiveRunLauncher"}
FILE = Path("dagster.yaml")
TEXT = """# Ours since 2019.
telemetry:
  enabled: false   # never
python_logs: {python_log_level: INFO}
"""


@pytest.mark.parametrize(
    "text",
    ["", TEXT, TEXT.rstrip("\n"), "# nothing but this", TEXT.replace("\n", "\r\n"), "---\na: 1\n"],
)
def test_what_was_there_stays_to_the_letter(text: str) -> None:
    wanted = with_live_launcher(text, FILE)
    assert wanted is not None
    assert wanted.startswith(text)
    assert yaml.safe_load(wanted) == {**(yaml.safe_load(text) or {}), "run_launcher": OURS}
    assert with_live_launcher(wanted, FILE) is None
    assert wanted.count("\n") == wanted.count("\r\n") or "\r\n" not in text


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{telemetry: {enabled: false}}\n", "nothing can be added at its end"),
        ("a: |\n  text\n...\n", "nothing can be added at its end"),
        ("- a list\n", "is no mapping"),
        ("a: [1\n", "is no YAML"),
        (
            "run_launcher: {module: dagster_docker, class: DockerRunLauncher, config: {p: secret}}",
            "launcher: {module: dagster_docker, class: DockerRunLauncher, config: (as it stands",
        ),
        ("run_launcher:\n", "names a run launcher already"),
    ],
)
def test_where_it_cannot_be_added_nothing_is_written_and_it_is_said_what_to_do(
    text: str, sentence: str, tmp_path: Path
) -> None:
    (tmp_path / "dagster.yaml").write_text(text)
    with pytest.raises(ConfigurationError) as refused:
        write_live_launcher(tmp_path)
    assert sentence in str(refused.value)
    assert "secret" not in str(refused.value)
    assert [path.read_text() for path in tmp_path.iterdir()] == [text]


def test_a_file_keeps_its_link_its_rights_and_a_copy(tmp_path: Path) -> None:
    home, elsewhere = tmp_path / "home", tmp_path / "elsewhere.yaml"
    home.mkdir()
    elsewhere.write_text(TEXT)
    elsewhere.chmod(0o640)
    (home / "dagster.yaml").symlink_to(elsewhere)
    (tmp_path / "elsewhere.yaml.before-1").write_text("of another day")
    written = write_live_launcher(home)
    assert written is not None
    assert written.backup == tmp_path / "elsewhere.yaml.before-2"
    assert written.backup.read_text() == TEXT
    assert (home / "dagster.yaml").is_symlink()
    assert stat.S_IMODE(elsewhere.stat().st_mode) == 0o640
    assert yaml.safe_load(elsewhere.read_text())["run_launcher"] == OURS
    assert write_live_launcher(home) is None
    assert len(list(tmp_path.iterdir())) == 4


def checks(cli: Cli, *words: str) -> dict[str, Any]:
    result = cli("doctor", "--json", *words)
    return {check["name"]: check for check in json.loads(result.stdout)}


def test_doctor_writes_only_when_asked_and_dagster_can_read_it(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, database: Database
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    (tmp_path / "dagster.yaml").write_text(TEXT)
    found = checks(cli)
    assert (found["Live workers"]["state"], found["Run launcher"]["state"]) == ("skipped", "ok")
    enter(database, "here", concurrency=3)
    found = checks(cli)
    assert found["Live workers"]["says"] == "1 worker for 3 runs at once of here"
    assert found["Run launcher"]["state"] == "warning"
    assert (tmp_path / "dagster.yaml").read_text() == TEXT

    found = checks(cli, "--fix")
    assert found["Run launcher"]["says"] == "LiveRunLauncher around DefaultRunLauncher"
    with dg.DagsterInstance.get() as instance:
        assert isinstance(instance.run_launcher, LiveRunLauncher)
    again = cli("doctor", "--fix")
    assert "names LiveRunLauncher already" in again.stderr


def test_without_a_home_there_is_nothing_to_fix(cli: Cli) -> None:
    result = cli("doctor", "--fix")
    assert result.exit_code == 1
    assert "DAGSTER_HOME is not set" in result.output

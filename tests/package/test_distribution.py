"""What ends up on the machine of somebody who installs the package."""

import re
import subprocess
import sys
import zipfile
from datetime import date
from email import message_from_string
from pathlib import Path

import pytest

from dagster_pgflow.version import __version__

ROOT = Path(__file__).parents[2]
RELEASE = re.compile(r"(?P<version>\d+\.\d+\.\d+) - (?P<day>\d{4}-\d\d-\d\d)")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", folder],
        check=True,
        capture_output=True,
        cwd=ROOT,
    )
    [built] = folder.iterdir()
    return zipfile.ZipFile(built)


@pytest.mark.parametrize(
    "ending", [".py", ".sql", ".json", ".yaml", ".md", ".template", "py.typed"]
)
def test_the_wheel_has_every_file_of_the_package(wheel: zipfile.ZipFile, ending: str) -> None:
    here = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "dagster_pgflow").rglob(f"*{ending}")
        if "__pycache__" not in path.parts
    }
    assert here <= set(wheel.namelist())


def test_the_wheel_has_the_schema_and_its_migrations(wheel: zipfile.ZipFile) -> None:
    names = wheel.namelist()
    assert "dagster_pgflow/store/migrations/0001_initial.sql" in names
    assert any(name.startswith("dagster_pgflow/store/schema/") for name in names)


def test_the_wheel_has_nothing_but_the_package(wheel: zipfile.ZipFile) -> None:
    assert {name.split("/")[0] for name in wheel.namelist()} == {
        "dagster_pgflow",
        f"dagster_pgflow-{__version__}.dist-info",
    }


def test_the_wheel_carries_its_licence_and_its_commands(wheel: zipfile.ZipFile) -> None:
    about = f"dagster_pgflow-{__version__}.dist-info"
    metadata = message_from_string(wheel.read(f"{about}/METADATA").decode())
    entry_points = wheel.read(f"{about}/entry_points.txt").decode()
    assert metadata["License-Expression"] == "Apache-2.0"
    assert f"{about}/licenses/LICENSE" in wheel.namelist()
    assert metadata["Version"] == __version__
    assert "dagster-pgflow = dagster_pgflow.cli:main" in entry_points
    assert "[dagster_dg_cli.registry_modules]" in entry_points
    assert "pgflow = dagster_pgflow.pytest_plugin" in entry_points


def test_the_newest_release_of_the_changelog_is_this_version(wheel: zipfile.ZipFile) -> None:
    headings = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    releases = [RELEASE.fullmatch(heading) for heading in headings if heading != "Unreleased"]
    assert all(releases)
    assert releases[0] is not None
    assert releases[0]["version"] == __version__
    assert {f"dagster_pgflow-{__version__}.dist-info/METADATA"} <= set(wheel.namelist())
    dates = [date.fromisoformat(release["day"]) for release in releases if release is not None]
    assert dates == sorted(dates, reverse=True)


def test_what_is_not_released_yet_stands_above_the_releases() -> None:
    headings = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert "Unreleased" not in headings[1:]

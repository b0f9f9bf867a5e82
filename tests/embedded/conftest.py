import os
import pwd
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from dagster_pgflow.embedded import EmbeddedPostgres
from dagster_pgflow.embedded.account import ServerAccount

MakeServer = Callable[..., EmbeddedPostgres]


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A folder that is not below pytest's own.

    Each pytest that starts closes that one to other accounts, of which root's server is one.
    """
    with tempfile.TemporaryDirectory(prefix="pgflow-tests-") as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def made_cluster() -> Iterator[Path]:
    """The cluster of a data folder that a server has used before."""
    with tempfile.TemporaryDirectory(prefix="pgflow-tests-") as folder:
        server = EmbeddedPostgres(folder, durable=False)
        server.start()
        server.stop()
        yield Path(folder) / "cluster"


@pytest.fixture
def make_server(tmp_path: Path, made_cluster: Path) -> Iterator[MakeServer]:
    """Makes servers whose processes are all gone after the test, however it ends.

    Their folder has been used before, to save the second that a new cluster takes, unless the
    test asks for a folder of its own.
    """
    folders = set[Path]()

    def make(
        data_dir: Path | None = None, *, linger: float = 30.0, port: int | None = None
    ) -> EmbeddedPostgres:
        server = EmbeddedPostgres(
            data_dir or tmp_path / "data", durable=False, linger=linger, port=port
        )
        if data_dir is None and not server.data_dir.exists():
            server.data_dir.mkdir(mode=0o711)
            subprocess.run(["cp", "-a", made_cluster, server.data_dir / "cluster"], check=True)
        folders.add(server.data_dir)
        return server

    yield make
    for folder in folders:
        if (folder / "cluster").exists():
            EmbeddedPostgres(folder).stop(for_everyone=True)


@pytest.fixture
def nobody() -> Iterator[pwd.struct_passwd]:
    """The account `nobody`, able to run this Python for the length of the test."""
    if os.geteuid() != 0:
        pytest.skip("only root can become somebody else; without root every test is this test")
    account = pwd.getpwnam("nobody")
    places = {Path(sys.executable), Path(sys.executable).resolve(), Path(psutil.__file__)}
    places |= {Path(__file__), Path(os.__file__)}
    modes = {
        folder: folder.stat().st_mode
        for place in places
        for folder in place.parents
        if not folder.stat().st_mode & 0o001 and not os.listxattr(folder)
    }
    for place in places:
        ServerAccount(account.pw_uid, account.pw_gid, "nobody", switch=True).open_path_to(
            place.parent
        )
    yield account
    for folder, mode in modes.items():
        if os.listxattr(folder):
            os.removexattr(folder, "system.posix_acl_access")
        folder.chmod(stat.S_IMODE(mode))

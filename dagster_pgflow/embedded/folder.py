"""The data folder: what is in it, and whether it can be used at all."""

import hashlib
import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from dagster_pgflow.embedded import locks
from dagster_pgflow.embedded.account import NOBODY, ServerAccount
from dagster_pgflow.errors import EmbeddedPostgresError

CLUSTER = "cluster"
DEFAULT_PORT = 5432
"""Of PostgreSQL. It names the socket, also where no port is open."""
UNFINISHED_CLUSTER = "cluster.new-"

_OWN_NAMES = frozenset({CLUSTER, "starting", "users", "keeper", "server.log", "server.log.old"})
_HIGHEST_PORT = 65535
# sun_path has 104 bytes on macOS and 108 on Linux, a final zero included.
_SOCKET_PATH_BYTES = 103
_LOG_BYTES_TO_KEEP = 8 * 1024 * 1024


def socket_name(port: int | None) -> str:
    """Returns what PostgreSQL calls its socket."""
    return f".s.PGSQL.{DEFAULT_PORT if port is None else port}"


SOCKET_NAME = socket_name(None)
"""Under which every server can be found."""


@dataclass(frozen=True)
class DataFolder:
    """A usable data folder, and the account that its server runs as."""

    path: Path
    account: ServerAccount

    @property
    def cluster(self) -> Path:
        """What PostgreSQL calls its data directory."""
        return self.path / CLUSTER

    @property
    def log(self) -> Path:
        """What the server and its keeper say."""
        return self.path / "server.log"

    @property
    def starting(self) -> Path:
        """Locked alone by whoever is starting or stopping the server."""
        return self.path / "starting"

    @property
    def users(self) -> Path:
        """Locked together by all processes that use the server."""
        return self.path / "users"

    @property
    def keeper(self) -> Path:
        """Locked alone by the keeper, as long as it lives."""
        return self.path / "keeper"

    @classmethod
    def open(cls, path: Path) -> Self:
        """Checks a folder, makes it when it is missing, and opens the way to it.

        Raises:
            EmbeddedPostgresError: It cannot be a data folder; the message says why.
        """
        _make(path)
        _refuse_strange_content(path)
        cluster = path / CLUSTER
        account = ServerAccount.for_folder((cluster if cluster.exists() else path).stat().st_uid)
        folder = cls(path, account)
        folder._refuse_other_owner()
        account.open_path_to(path)
        for lock in (folder.starting, folder.users, folder.keeper):
            if not lock.exists():
                os.close(locks.open_lock(lock))
                account.own(lock)
        return folder

    def open_log(self) -> int:
        """Opens the log for appending, after putting a long one aside; returns a descriptor."""
        if self.log.exists() and self.log.stat().st_size > _LOG_BYTES_TO_KEEP:
            self.log.replace(self.log.with_name("server.log.old"))
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(self.log, flags, 0o600)
        self.account.own(self.log)
        return descriptor

    def socket_folder(self) -> Path:
        """Returns the folder for the Unix socket: the cluster, or one in /tmp for long paths.

        Raises:
            EmbeddedPostgresError: Somebody else made the folder in /tmp.
        """
        # libpq reads a comma in a host as the end of it.
        path = os.fsencode(self.cluster / socket_name(_HIGHEST_PORT))
        if len(path) <= _SOCKET_PATH_BYTES and b"," not in path:
            return self.cluster
        # The inode differs from that of an earlier folder of the same name, the id from `nobody`'s.
        identity = f"{self.cluster}:{self.cluster.stat().st_ino}:{self.account.uid}"
        short = Path("/tmp") / f"pgflow-{hashlib.sha256(identity.encode()).hexdigest()[:16]}"  # noqa: S108  checked below
        try:
            short.mkdir(mode=0o700)
            self.account.own(short)
        except FileExistsError:
            details = short.lstat()
            private = stat.S_IMODE(details.st_mode) == 0o700
            if not (
                stat.S_ISDIR(details.st_mode) and private and details.st_uid == self.account.uid
            ):
                raise EmbeddedPostgresError(
                    f"The path of the data folder {self.path} is too long for a socket, and "
                    f"{short}, which would replace it, belongs to somebody else; choose a folder "
                    f"with a shorter path."
                ) from None
        return short

    def is_shared_with_nobody(self) -> bool:
        """Return whether root keeps the folder, and its server runs as `nobody`."""
        return self.account.switch and self.account.name == NOBODY and self.path.stat().st_uid == 0

    def _refuse_other_owner(self) -> None:
        owner = self.cluster.stat().st_uid if self.cluster.exists() else self.account.uid
        if owner != self.account.uid:
            raise EmbeddedPostgresError(
                f"The data folder {self.path} belongs to {_name_of(owner)}; use it as that user or "
                f"as root, or choose another folder with PGFLOW_DATA_DIR."
            )


def _make(path: Path) -> None:
    try:
        path.mkdir(mode=0o711 if os.geteuid() == 0 else 0o700, parents=True, exist_ok=True)
    except FileExistsError:
        raise EmbeddedPostgresError(
            f"{path} is a file, but the data folder of PostgreSQL has to be a folder; choose "
            f"another one with PGFLOW_DATA_DIR."
        ) from None
    except OSError as error:
        raise EmbeddedPostgresError(
            f"The data folder {path} cannot be made ({error.strerror}); choose another one with "
            f"PGFLOW_DATA_DIR."
        ) from error
    if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        raise EmbeddedPostgresError(
            f"The data folder {path} is not writable for {_name_of(os.geteuid())} (it belongs to "
            f"{_name_of(path.stat().st_uid)}); choose another one with PGFLOW_DATA_DIR."
        )


def _refuse_strange_content(path: Path) -> None:
    names = {entry.name for entry in path.iterdir()}
    if "PG_VERSION" in names:
        raise EmbeddedPostgresError(
            f"{path} is itself the data directory of a PostgreSQL server; start that server and "
            f"set PGFLOW_DATABASE_URL, or choose another folder with PGFLOW_DATA_DIR."
        )
    strange = sorted(name for name in names - _OWN_NAMES if not name.startswith(UNFINISHED_CLUSTER))
    if strange:
        raise EmbeddedPostgresError(
            f"The folder {path} holds other things ({', '.join(strange[:3])}); choose an empty or "
            f"a new folder with PGFLOW_DATA_DIR."
        )


def _name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user id {uid}"

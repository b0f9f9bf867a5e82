"""A port of this machine for clients that know no Unix sockets, where somebody asks for one.

Other accounts of the machine can reach it, which the socket keeps out. So it asks for a password
(SCRAM), which is made when it is first needed: 256 random bits that stand nowhere but in a file
that only the owner of the server can read, in the form that libpq takes as `passfile`. On a command
line the password would be seen by everybody who lists processes. PostgreSQL listens on 127.0.0.1
alone, lets in no role but the one, and is told no password but only what SCRAM derives from it.

PostgreSQL calls its socket after its port. Whoever knows the server by its socket finds it under
the name that it has without a port, as a link.
"""

import base64
import hashlib
import hmac
import os
import secrets
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from dagster_pgflow.embedded import binaries
from dagster_pgflow.embedded.account import ServerAccount
from dagster_pgflow.embedded.cluster import SUPERUSER
from dagster_pgflow.embedded.folder import (
    DEFAULT_PORT,
    SOCKET_NAME,
    DataFolder,
    socket_name,
)
from dagster_pgflow.errors import EmbeddedPostgresError

HOST = "127.0.0.1"

_ACCESS = "pg_hba.port.conf"
_PASSFILE = "pgpass"
_SECRET_BYTES = 32
_ITERATIONS = 4096
_PSQL_SECONDS = 60
_RULES = f"""\
local all all trust
local replication all trust
host all {SUPERUSER} {HOST}/32 scram-sha-256
"""


@dataclass(frozen=True)
class NetworkAddress:
    """The port of a running server, and what opens it.

    Attributes:
        port: The one of 127.0.0.1.
        passfile: Where the password stands.
    """

    port: int
    passfile: Path

    def url(self, database: str = "pgflow") -> str:
        """Returns the URL of a database; libpq takes the password from the file that it names."""
        passfile = quote(str(self.passfile), safe="/")
        name = quote(database, safe="")
        return f"postgresql://{SUPERUSER}@{HOST}:{self.port}/{name}?passfile={passfile}"

    def password(self) -> str:
        """Returns the password.

        Raises:
            EmbeddedPostgresError: This account cannot read it.
        """
        try:
            text = self.passfile.read_text(encoding="ascii")
        except OSError as error:
            raise EmbeddedPostgresError(
                f"The password for the port of the embedded PostgreSQL cannot be read from"
                f" {self.passfile} ({error.strerror}); the next start of PostgreSQL makes a new"
                f" one where that file is missing."
            ) from error
        return text.strip().rpartition(":")[2]


def address_of(cluster: Path, port: int | None) -> NetworkAddress | None:
    """Returns the address of a server that listens on a port; None where it does not."""
    return None if port is None else NetworkAddress(port, cluster / _PASSFILE)


def refuse_taken(port: int) -> None:
    """Sees to it that nobody else listens on the port.

    Raises:
        EmbeddedPostgresError: Somebody does, or this account may not.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise EmbeddedPostgresError(
                f"The embedded PostgreSQL cannot listen on port {port} of {HOST}"
                f" ({error.strerror}); choose another one with PGFLOW_PORT, or leave that out."
            ) from error


def settings(folder: DataFolder, port: int | None) -> dict[str, str]:
    """Returns PostgreSQL's settings for a port, or for none, and writes who may come through it."""
    if port is None:
        return {"listen_addresses": ""}
    access = folder.cluster / _ACCESS
    _write(access, _RULES, folder.account)
    return {"listen_addresses": HOST, "hba_file": str(access)}


def link_socket(socket_folder: Path, port: int | None) -> None:
    """Makes the socket of a server be found under its usual name, whatever its port."""
    remove_link(socket_folder)
    if port not in (None, DEFAULT_PORT):
        (socket_folder / SOCKET_NAME).symlink_to(socket_name(port))


def remove_link(socket_folder: Path) -> None:
    """Removes what `link_socket` made."""
    if (socket_folder / SOCKET_NAME).is_symlink():
        (socket_folder / SOCKET_NAME).unlink()


def ensure_password(folder: DataFolder, programs: Path, socket_folder: Path) -> None:
    """Gives the running server a password, unless it has one.

    Raises:
        EmbeddedPostgresError: The server refused it.
    """
    passfile = folder.cluster / _PASSFILE
    if passfile.exists():
        return
    password = secrets.token_urlsafe(_SECRET_BYTES)
    statement = f"alter role {SUPERUSER} password '{_verifier(password)}';"
    address = ["-h", str(socket_folder), "-p", str(DEFAULT_PORT), "-U", SUPERUSER]
    result = subprocess.run(
        [programs / "psql", *address, "-d", "postgres", "-Xq", "-v", "ON_ERROR_STOP=1"],
        input=statement,
        capture_output=True,
        text=True,
        check=False,
        timeout=_PSQL_SECONDS,
        env=binaries.environment(),
    )
    if result.returncode != 0:
        reason = (result.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise EmbeddedPostgresError(
            f"The embedded PostgreSQL in {folder.path} took no password for its port: {reason}"
        )
    _write(passfile, f"{HOST}:*:*:{SUPERUSER}:{password}\n", folder.account)


def _verifier(password: str) -> str:
    """Returns what PostgreSQL keeps of a password (RFC 5803), so that it is never sent."""
    salt = secrets.token_bytes(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, _ITERATIONS)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    salt_text, stored_text, server_text = (
        base64.b64encode(part).decode() for part in (salt, stored, server)
    )
    return f"SCRAM-SHA-256${_ITERATIONS}:{salt_text}${stored_text}:{server_text}"


def _write(path: Path, text: str, account: ServerAccount) -> None:
    """Writes a file that only the account can read; who looks finds it whole."""
    unfinished = path.with_name(f"{path.name}.new")
    unfinished.unlink(missing_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(unfinished, flags, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(text)
    account.own(unfinished)
    unfinished.replace(path)

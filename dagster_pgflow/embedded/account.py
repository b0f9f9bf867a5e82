"""As whom PostgreSQL runs, since it refuses to run as root.

Everybody else runs it as themselves. Root runs it as the owner of the data folder, or as
`nobody`, an account that every system has, so that nothing needs to be installed. What root
may enter is often closed to that account (`/root`, a folder made by `mktemp -d`). Opening such
folders to everybody would be a hole; an entry in their POSIX access control list opens them to
this one account, for passing through only.
"""

import errno
import logging
import os
import pwd
import stat
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from dagster_pgflow.errors import EmbeddedPostgresError

FALLBACK_NAME = "nobody"

_logger = logging.getLogger(__name__)

# The layout is that of posix_acl_xattr.h in the Linux headers.
_ACL_ATTRIBUTE = "system.posix_acl_access"
_ACL_VERSION = 2
_USER_OBJ, _USER, _GROUP_OBJ, _MASK, _OTHER = 0x01, 0x02, 0x04, 0x10, 0x20
_NO_ID = 0xFFFFFFFF
_SEARCH = 0o1


@dataclass(frozen=True)
class Account:
    """The operating system account of the server.

    Attributes:
        switch: True when this process is root and has to start the server as another.
    """

    uid: int
    gid: int
    name: str
    switch: bool

    @classmethod
    def for_folder(cls, owner_uid: int) -> Self:
        """Chooses the account for a data folder owned by `owner_uid`.

        Raises:
            EmbeddedPostgresError: The account has no name, which `initdb` insists on.
        """
        own_uid = os.geteuid()
        try:
            if own_uid != 0:
                entry = pwd.getpwuid(own_uid)
            elif owner_uid != 0:
                entry = pwd.getpwuid(owner_uid)
            else:
                entry = pwd.getpwnam(FALLBACK_NAME)
        except KeyError:
            raise EmbeddedPostgresError(
                f"The user id {own_uid or owner_uid} has no name on this system, and PostgreSQL "
                f"needs one; add it to /etc/passwd or set PGFLOW_DATABASE_URL."
            ) from None
        return cls(uid=entry.pw_uid, gid=entry.pw_gid, name=entry.pw_name, switch=own_uid == 0)

    def subprocess_options(self) -> Mapping[str, Any]:
        """Returns what `subprocess` needs to start a program as this account."""
        if not self.switch:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def own(self, path: Path) -> None:
        """Gives a file or folder that root has just made to the account."""
        if self.switch:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)

    def open_way_to(self, path: Path) -> None:
        """Lets the account pass through every folder from the root of the system to `path`.

        Raises:
            EmbeddedPostgresError: A folder is closed and its file system has no access lists.
        """
        if not self.switch:
            return
        for folder in reversed((path, *path.parents)):
            details = folder.stat()
            if not self._may_search(details):
                _let_pass(folder, details, self)

    def _may_search(self, details: os.stat_result) -> bool:
        if details.st_uid == self.uid:
            return bool(details.st_mode & stat.S_IXUSR)
        if details.st_gid == self.gid:
            return bool(details.st_mode & stat.S_IXGRP)
        return bool(details.st_mode & stat.S_IXOTH)


def _let_pass(folder: Path, details: os.stat_result, account: Account) -> None:
    try:
        entries = _access_list(folder, details.st_mode)
        key = (_USER, account.uid)
        if entries.get(key, 0) & _SEARCH:
            return
        entries[key] = entries.get(key, 0) | _SEARCH
        entries[_MASK, _NO_ID] = entries.get((_MASK, _NO_ID), entries[_GROUP_OBJ, _NO_ID]) | _SEARCH
        os.setxattr(folder, _ACL_ATTRIBUTE, _encode(entries))
    except (AttributeError, OSError) as error:
        raise EmbeddedPostgresError(
            f'The user "{account.name}", as whom PostgreSQL runs when you are root, cannot enter '
            f"{folder}; run `chmod o+x {folder}`, or choose another folder."
        ) from error
    _logger.info("Let the user %s pass through %s, for PostgreSQL.", account.name, folder)


def _access_list(folder: Path, mode: int) -> dict[tuple[int, int], int]:
    """Reads the access list of a folder: permission bits by (tag, id)."""
    try:
        raw = os.getxattr(folder, _ACL_ATTRIBUTE)
    except OSError as error:
        if error.errno != errno.ENODATA:
            raise
        return {
            (_USER_OBJ, _NO_ID): mode >> 6 & 0o7,
            (_GROUP_OBJ, _NO_ID): mode >> 3 & 0o7,
            (_OTHER, _NO_ID): mode & 0o7,
        }
    return {(tag, id_): bits for tag, bits, id_ in struct.iter_unpack("<HHI", raw[4:])}


def _encode(entries: dict[tuple[int, int], int]) -> bytes:
    rows = (struct.pack("<HHI", tag, bits, id_) for (tag, id_), bits in sorted(entries.items()))
    return struct.pack("<I", _ACL_VERSION) + b"".join(rows)

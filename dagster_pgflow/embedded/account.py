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
import struct
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeAlias

from dagster_pgflow.errors import EmbeddedPostgresError

FALLBACK_NAME = "nobody"

_logger = logging.getLogger(__name__)

# The layout is that of posix_acl_xattr.h in the Linux headers.
_ACL_ATTRIBUTE = "system.posix_acl_access"
_ACL_VERSION = 2
_USER_OBJ, _USER, _GROUP_OBJ, _MASK, _OTHER = 0x01, 0x02, 0x04, 0x10, 0x20
_NO_ID = 0xFFFFFFFF
_SEARCH = 0o1
_AccessList: TypeAlias = dict[tuple[int, int], int]  # permission bits by tag and id


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
            if details.st_uid == self.uid:
                continue  # it can open its own folders itself
            try:
                entries = _access_list(folder, details.st_mode)
                if not self._may_pass(entries, details.st_gid):
                    _let_pass(folder, self, entries)
            except OSError as error:
                raise EmbeddedPostgresError(
                    f'The user "{self.name}", as whom PostgreSQL runs when you are root, cannot '
                    f"enter {folder}; run `chmod o+x {folder}`, or choose another folder."
                ) from error

    def _may_pass(self, entries: _AccessList, group: int) -> bool:
        """Applies the rules of acl(5): the first entry that fits decides, cut by the mask."""
        mask = entries.get((_MASK, _NO_ID), 0o7)
        own = entries.get((_USER, self.uid))
        if own is not None:
            return bool(own & mask & _SEARCH)
        if group == self.gid:
            return bool(entries[_GROUP_OBJ, _NO_ID] & mask & _SEARCH)
        return bool(entries[_OTHER, _NO_ID] & _SEARCH)


def _let_pass(folder: Path, account: Account, entries: _AccessList) -> None:
    if sys.platform != "linux":
        raise OSError(errno.ENOTSUP, "no POSIX access control lists")
    key, mask = (_USER, account.uid), (_MASK, _NO_ID)
    entries[key] = entries.get(key, 0) | _SEARCH
    entries[mask] = entries.get(mask, entries[_GROUP_OBJ, _NO_ID]) | _SEARCH
    os.setxattr(folder, _ACL_ATTRIBUTE, _encode(entries))
    _logger.info("Let the user %s pass through %s, for PostgreSQL.", account.name, folder)


def _access_list(folder: Path, mode: int) -> _AccessList:
    """Reads the access list of a folder; the mode alone is one, too."""
    if sys.platform == "linux":
        try:
            raw = os.getxattr(folder, _ACL_ATTRIBUTE)
        except OSError as error:
            if error.errno not in {errno.ENODATA, errno.ENOTSUP}:
                raise
        else:
            return {(tag, id_): bits for tag, bits, id_ in struct.iter_unpack("<HHI", raw[4:])}
    return {
        (_USER_OBJ, _NO_ID): mode >> 6 & 0o7,
        (_GROUP_OBJ, _NO_ID): mode >> 3 & 0o7,
        (_OTHER, _NO_ID): mode & 0o7,
    }


def _encode(entries: _AccessList) -> bytes:
    rows = (struct.pack("<HHI", tag, bits, id_) for (tag, id_), bits in sorted(entries.items()))
    return struct.pack("<I", _ACL_VERSION) + b"".join(rows)

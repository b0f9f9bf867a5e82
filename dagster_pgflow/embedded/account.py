"""As whom PostgreSQL runs, since it refuses to run as root.

Everybody else runs it as themselves. Root runs it as the owner of the data folder. Where that is
root, it gets an account of its own: a number that no account has, so that nothing needs to be
installed, and no other process can read its files or enter its socket. `nobody` would not do: that
is whoever else has no account.

What root may enter is often closed to that account (`/root`, a folder made by `mktemp -d`). Opening
such folders to everybody would be a hole; an entry in their POSIX access control list opens them to
this one account, for passing through only.
"""

import errno
import grp
import logging
import os
import pwd
import struct
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self, TypeAlias

from dagster_pgflow.errors import EmbeddedPostgresError

NOBODY = "nobody"

# Neither systemd nor a distribution gives these out, and a container that has `nobody` has them.
_FREE_IDS = range(65533, 65519, -1)

_logger = logging.getLogger(__name__)

# The layout is that of posix_acl_xattr.h in the Linux headers.
_ACL_ATTRIBUTE = "system.posix_acl_access"
_ACL_VERSION = 2
_USER_OBJ, _USER, _GROUP_OBJ, _GROUP, _MASK, _OTHER = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20
_NO_ID = 0xFFFFFFFF
_SEARCH = 0o1
_AccessList: TypeAlias = dict[tuple[int, int], int]  # permission bits by tag and id


@dataclass(frozen=True)
class ServerAccount:
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
        if own_uid == 0 and (owner_uid == 0 or _is_free(owner_uid)):
            return cls.of_its_own(owner_uid)
        try:
            entry = pwd.getpwuid(own_uid or owner_uid)
        except KeyError:
            raise EmbeddedPostgresError(
                f"The user id {own_uid or owner_uid} has no name on this system, and PostgreSQL "
                f"needs one; add it to /etc/passwd or set PGFLOW_DATABASE_URL."
            ) from None
        return cls(uid=entry.pw_uid, gid=entry.pw_gid, name=entry.pw_name, switch=own_uid == 0)

    @classmethod
    def of_its_own(cls, number: int = 0) -> Self:
        """Returns an account that nobody else has, for root to start the server as.

        Args:
            number: The one that was chosen before; 0 chooses one.

        Raises:
            EmbeddedPostgresError: All numbers that could be are taken.
        """
        number = number or next(filter(_is_free, _FREE_IDS), 0)
        if not number:
            raise EmbeddedPostgresError(
                f"All user ids from {_FREE_IDS[-1]} to {_FREE_IDS[0]} have names on this system, "
                f"and PostgreSQL needs one for itself when you are root; use a data folder of an "
                f"ordinary user, or set PGFLOW_DATABASE_URL."
            )
        return cls(uid=number, gid=number, name=f"user id {number}", switch=True)

    @property
    def maker(self) -> Self:
        """The account that makes the cluster: `initdb` insists on one that has a name.

        Its group is that of the server, which no other process has: so the files can be made where
        nobody else, `nobody` included, can come.
        """
        if not (self.switch and _is_free(self.uid)):
            return self
        return replace(self, uid=pwd.getpwnam(NOBODY).pw_uid, name=NOBODY)

    def subprocess_options(self) -> Mapping[str, Any]:
        """Returns what `subprocess` needs to start a program as this account."""
        if not self.switch:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def own(self, path: Path) -> None:
        """Gives a file or folder that root has just made to the account.

        Raises:
            EmbeddedPostgresError: The system does not know such an account.
        """
        if not self.switch:
            return
        try:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)
        except OSError as error:
            raise EmbeddedPostgresError(
                f"{path} cannot be given to {self.name}, as which PostgreSQL is to run when you "
                f"are root ({error.strerror}); use a data folder of an ordinary user, or set "
                f"PGFLOW_DATABASE_URL."
            ) from error

    def let_group_pass(self, folder: Path) -> None:
        """Lets those who have the account's group, and nobody else, into a folder of root."""
        if self.switch:
            os.chown(folder, 0, self.gid)
            folder.chmod(0o710)

    def own_all_of(self, folder: Path, former_uid: int) -> None:
        """Gives a folder with all that is in it to the account.

        The former owner may be at work in it, so no path is followed twice, no link at all, and
        only what was theirs changes hands.
        """
        if not self.switch or former_uid == self.uid:
            return
        self.own(folder)
        for _path, folders, files, descriptor in os.fwalk(folder):
            for name in (*folders, *files):
                details = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
                if details.st_uid == former_uid:
                    os.chown(name, self.uid, self.gid, dir_fd=descriptor, follow_symlinks=False)

    def open_path_to(self, path: Path) -> None:
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
                    f"The account of PostgreSQL when you are root ({self.name}) cannot enter "
                    f"{folder}; run `chmod o+x {folder}`, or choose another folder."
                ) from error

    def _may_pass(self, entries: _AccessList, group: int) -> bool:
        """Applies the rules of acl(5): the first entry that fits decides, cut by the mask."""
        mask = entries.get((_MASK, _NO_ID), 0o7)
        own = entries.get((_USER, self.uid))
        if own is not None:
            return bool(own & mask & _SEARCH)
        groups = [bits for key, bits in entries.items() if key == (_GROUP, self.gid)]
        if group == self.gid:
            groups.append(entries[_GROUP_OBJ, _NO_ID])
        if groups:
            return any(bits & mask & _SEARCH for bits in groups)
        return bool(entries[_OTHER, _NO_ID] & _SEARCH)

    @property
    def entry(self) -> tuple[int, int]:
        """The entry of an access list that stands for the account, and for nobody else."""
        return (_GROUP, self.gid) if _is_free(self.gid) else (_USER, self.uid)


def _is_free(number: int) -> bool:
    """Return whether a number is one of ours: no account and no group of the system has it."""
    if number not in _FREE_IDS:
        return False
    for lookup in (pwd.getpwuid, grp.getgrgid):
        try:
            lookup(number)
        except KeyError:
            continue
        return False
    return True


def _let_pass(folder: Path, account: ServerAccount, entries: _AccessList) -> None:
    if sys.platform != "linux":
        raise OSError(errno.ENOTSUP, "no POSIX access control lists")
    key, mask = account.entry, (_MASK, _NO_ID)
    entries[key] = entries.get(key, 0) | _SEARCH
    entries[mask] = entries.get(mask, entries[_GROUP_OBJ, _NO_ID]) | _SEARCH
    os.setxattr(folder, _ACL_ATTRIBUTE, _encode(entries))
    _logger.info("Let %s pass through %s, for PostgreSQL.", account.name, folder)


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

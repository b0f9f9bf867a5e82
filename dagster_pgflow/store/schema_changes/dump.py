"""What `pg_dump` says of the schema, object by object.

A dump names each object in a comment before it. Split there, it is a complete description of the
schema in an order in which it can be made, in the words of PostgreSQL itself.
"""

import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass

from dagster_pgflow.embedded.binaries import by_major_version, environment

HEADER = re.compile(
    r"^--\n-- Name: (?P<name>.+); Type: (?P<type>.+); Schema: .+; Owner: .*\n--\n", re.MULTILINE
)
NO_PART_OF_AN_OBJECT = re.compile(
    r"^(SET default_\w+ = .*|\\(un)?restrict .*|--|-- PostgreSQL database dump complete)\n",
    re.MULTILINE,
)


@dataclass(frozen=True)
class ObjectKey:
    """Which object of the schema.

    Attributes:
        type: As `pg_dump` calls it: `TABLE`, `FUNCTION`, `COMMENT`, `ACL`, ...
        name: Without the schema: `flows`, `is_valid_slug(text)`; with the table in front for what
            belongs to one, `steps steps_pkey`; with the type in front for what is said of another
            object, `TABLE flows`.
    """

    type: str
    name: str


Objects = Mapping[ObjectKey, str]
"""The SQL that makes each object, in an order in which they can be made."""


def dumped_objects(url: str) -> Objects:
    """Return what is in the schema `pgflow` of a database.

    Raises:
        subprocess.CalledProcessError: The database cannot be dumped; its `stderr` says why.
    """
    programs = by_major_version()
    dump = subprocess.run(
        [
            programs[max(programs)] / "pg_dump",
            *("--schema-only", "--no-owner", "--schema=pgflow", f"--dbname={url}"),
        ],
        capture_output=True,
        check=True,
        encoding="utf-8",
        env=environment(),
    )
    return split_dump(dump.stdout)


def split_dump(dump: str) -> Objects:
    """Return the objects of the text of a dump."""
    headers = list(HEADER.finditer(dump))
    ends = [header.start() for header in headers[1:]] + [len(dump)]
    return {
        ObjectKey(header["type"], header["name"]): NO_PART_OF_AN_OBJECT.sub(
            "", dump[header.end() : end]
        ).strip()
        for header, end in zip(headers, ends, strict=True)
    }

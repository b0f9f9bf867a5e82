"""The named queries: SQL stays in files, Python calls it by name.

A query is a block of `queries.sql` (or of another file beside it) that begins with `-- name: ...`
and one line that says what it does. Parameters are written `:name`; a cast of a parameter is
written `cast(:name as type)`.
"""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from sqlalchemy import TextClause, text

_BLOCK = re.compile(r"^-- name: (\w+)\n-- [^\n]+\n(.*?)(?=^-- name: |\Z)", re.DOTALL | re.MULTILINE)


@cache
def named_queries() -> Mapping[str, TextClause]:
    """Return every query by its name, read once."""
    found: dict[str, TextClause] = {}
    for file in sorted(Path(__file__).parent.glob("*.sql")):
        for name, body in _BLOCK.findall(file.read_text(encoding="utf-8")):
            if name in found:
                raise ValueError(f'Two queries in {file.parent} are called "{name}".')
            found[name] = text(body.strip().rstrip(";"))
    return found

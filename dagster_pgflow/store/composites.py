"""Values of composite types, such as rows that functions return, read field by field."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from psycopg2.extensions import cursor as Cursor  # noqa: N812  a class, whatever its name
from psycopg2.extras import CompositeCaster

from dagster_pgflow.store.queries import named_queries

FIRST_OF_USERS: Final = 16_384
"""Types with smaller numbers came with PostgreSQL, and those of tables have larger ones."""


class Composite(dict[str, Any]):
    """The fields of one value, in the order of its type."""


def types_of(cursor: Cursor) -> tuple[int, ...]:
    """Return the numbers of the types of what a cursor has to give, by column."""
    return tuple(column.type_code for column in cursor.description or ())


def fields_query(types: Sequence[int]) -> tuple[Any, dict[str, Any]] | None:
    """Return what asks for the fields of composite types; nothing where none can be among them."""
    of_users = [str(number) for number in types if number >= FIRST_OF_USERS]
    if not of_users:
        return None
    return named_queries()["fetch_composite_fields"], {"types": of_users}


def with_fields(
    rows: Sequence[tuple[Any, ...]],
    types: Sequence[int],
    fields: Mapping[int, Mapping[str, int]],
    cursor: Cursor,
) -> tuple[tuple[Any, ...], ...]:
    """Return rows whose composite values are read.

    Args:
        rows: The rows.
        types: The type of each column.
        fields: For each composite type its fields, with their types.
        cursor: What makes Python values of text.
    """
    return tuple(
        tuple(
            _read(value, fields[number], cursor) if number in fields else value
            for value, number in zip(row, types, strict=True)
        )
        for row in rows
    )


def _read(value: Any, fields: Mapping[str, int], cursor: Cursor) -> Any:
    if not isinstance(value, str):
        return value
    texts = CompositeCaster.tokenize(value)
    if len(texts) != len(fields):
        return value
    return Composite(
        (name, cursor.cast(number, text))
        for (name, number), text in zip(fields.items(), texts, strict=True)
    )

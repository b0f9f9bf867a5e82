"""What a migration leaves to its author."""

RESOLVE = "-- resolve:"
"""How a line begins that must be gone before the migration is one."""


def unresolved(sql: str) -> tuple[str, ...]:
    """Return the lines of a migration that its author has not seen to yet."""
    return tuple(line for line in sql.splitlines() if line.startswith(RESOLVE))

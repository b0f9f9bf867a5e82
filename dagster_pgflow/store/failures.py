"""What PostgreSQL says no with, in our words; the one place that reads its error codes."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import psycopg2
from sqlalchemy.exc import DBAPIError

from dagster_pgflow.errors import (
    InvalidInput,
    PgflowError,
    SchemaMissing,
    StoreAccessDenied,
    StoreError,
    StoreRefused,
    StoreUnreachable,
    Trouble,
    UnknownFlow,
)
from dagster_pgflow.step_errors import ValueNotJson
from dagster_pgflow.store.address import Address

UNKNOWN_FLOW = ("flow_exists", "steps_flow_slug_fkey")
INVALID_INPUT = "input_fits_its_schema"
"""Constraints, of which the first and the last exist only in what our functions raise."""

BEYOND_LIMITS = "json_is_within_limits"
"""The constraint of the domain of all JSON from outside, and of what our functions raise."""

SCHEMA_STATES = ("42P01", "42883", "3F000", "42703")

_KINDS: tuple[tuple[tuple[str, ...], type[StoreError], Trouble | None, str], ...] = (
    (
        ("42501",),
        StoreAccessDenied,
        None,
        "The user of {address} lacks a right: {message} Grant it, or use another user.",
    ),
    (
        SCHEMA_STATES,
        SchemaMissing,
        None,
        "The pgflow schema of {address} is damaged; run `dagster-pgflow doctor`: {message}",
    ),
    (
        ("57P01", "57P02", "57P05", "08"),
        StoreUnreachable,
        "away",
        "The database {address} is not available now: {message}",
    ),
    (
        ("57P03",),
        StoreUnreachable,
        "busy",
        "The database {address} is not available now: {message}",
    ),
    # What was the primary before a failover still answers those who are connected to it.
    (
        ("25006",),
        StoreUnreachable,
        "away",
        "The database {address} can only be read: {message} If that lasts, it is a standby.",
    ),
    (("53300",), StoreUnreachable, "busy", "{full}"),
    (
        ("40001", "40P01"),
        StoreRefused,
        "conflict",
        "Another session changed the same rows: {message} Try again.",
    ),
    (
        ("22", "23", "25", "2B", "42", "44", "54", "55", "P0"),
        StoreRefused,
        None,
        "{message}",
    ),
    (("",), StoreError, None, "The database {address} failed: {message}"),
)
"""SQLSTATEs by their first characters, what they mean to us, whether that passes, the sentence.

The first match counts.
"""

_PROBLEM_CODE: Final = re.compile(r"[a-z]+(-[a-z]+)+")
_NO_PLACE = ("too many clients", "too many connections", "connection slots are reserved")
_NOT_YET = (
    "starting up",
    "shutting down",
    "recovery mode",
    "not yet accepting connections",
    "not accepting connections",
)


def translated(error: DBAPIError, address: Address) -> PgflowError:
    """Return the error of this package that says what a driver error means.

    Args:
        error: What SQLAlchemy raised.
        address: The database, for the sentence.
    """
    cause = error.orig
    if not isinstance(cause, psycopg2.Error):
        return StoreError(f"The database {address.shown} failed: {cause}.")
    return of_driver(cause, address, was_connected=error.statement is not None)


def of_driver(cause: psycopg2.Error, address: Address, *, was_connected: bool) -> PgflowError:
    """Return the error of this package that says what an error of psycopg2 means.

    Args:
        cause: What the driver raised.
        address: The database, for the sentence.
        was_connected: Whether there was a connection.
    """
    state = cause.pgcode
    if state is None:
        return _without_state(cause, address, was_connected=was_connected)
    if cause.diag.constraint_name == INVALID_INPUT:
        return InvalidInput(_sentence(cause))
    if cause.diag.constraint_name == BEYOND_LIMITS:
        return ValueNotJson(_sentence(cause))
    kind, trouble, sentence = next(
        (kind, trouble, sentence)
        for states, kind, trouble, sentence in _KINDS
        if state.startswith(states)
    )
    message = _sentence(cause)
    text = sentence.format(message=message, address=address.shown, full=_full(message, address))
    if kind is StoreRefused:
        constraint = cause.diag.constraint_name
        return StoreRefused(text, trouble, code=_code(cause), constraint=constraint)
    return kind(text, trouble)


def in_doubt(error: PgflowError, address: Address) -> PgflowError:
    """Return what an error means that came during a commit.

    Args:
        error: The error, translated.
        address: The database, for the sentence.
    """
    if not isinstance(error, StoreError) or error.trouble != "away":
        return error
    return StoreUnreachable(
        f"The connection to {address.shown} was lost while a change was committed, so it may or"
        f" may not have been made; check before you try again. {error}",
        "away",
        is_in_doubt=True,
    )


def problem_in_sql(error: DBAPIError) -> StoreRefused | None:
    """Return what is wrong with SQL that somebody else wrote, if it is the SQL that is wrong.

    In our own queries an unknown table means a damaged schema; in theirs, it is what they wrote.
    """
    cause = error.orig
    state = (cause.pgcode or "") if isinstance(cause, psycopg2.Error) else ""
    if isinstance(cause, psycopg2.Error) and state in SCHEMA_STATES:
        return StoreRefused(_sentence(cause))
    return None


@contextmanager
def sql_of_others() -> Iterator[None]:
    """Run SQL that somebody else wrote."""
    try:
        yield
    except DBAPIError as error:
        problem = problem_in_sql(error)
        if problem is None:
            raise
        raise problem from error


def is_about_unknown_flow(error: StoreRefused) -> bool:
    """Return whether a refusal means that the flow does not exist."""
    driver = error.__cause__.orig if isinstance(error.__cause__, DBAPIError) else None
    if not isinstance(driver, psycopg2.Error):
        return False
    return driver.diag.constraint_name in UNKNOWN_FLOW


def unknown_or_refused(flow_slug: str, error: StoreRefused) -> PgflowError:
    """Return `UnknownFlow` when that is what a refusal means, else the refusal itself."""
    return UnknownFlow(flow_slug) if is_about_unknown_flow(error) else error


def _code(cause: psycopg2.Error) -> str | None:
    """Return the code of the problem with a definition that our functions name as the detail."""
    detail = cause.diag.message_detail or ""
    return detail if _PROBLEM_CODE.fullmatch(detail) else None


def _sentence(cause: psycopg2.Error) -> str:
    diagnosis = cause.diag
    message = diagnosis.message_primary or str(cause).strip()
    # PostgreSQL's own sentences name the constraint, its details name the value.
    if not message.endswith("."):
        message = f"{message}."
    is_its_own = (cause.pgcode or "")[:2] in ("22", "23") and diagnosis.source_function not in (
        None,
        "exec_stmt_raise",
    )
    extra = diagnosis.message_hint
    if extra is None and is_its_own and not (diagnosis.message_detail or "").startswith("Failing"):
        extra = diagnosis.message_detail
    return f"{message} {extra}" if extra else message


def _without_state(cause: psycopg2.Error, address: Address, *, was_connected: bool) -> StoreError:
    # libpq gives failed connections no code, only its words.
    words = _words(cause)
    if was_connected:
        return StoreUnreachable(f"The connection to {address.shown} was lost: {words}.", "away")
    denial = _denial(words, address)
    if denial is not None:
        return StoreAccessDenied(denial)
    if "database" in words and "does not exist" in words:
        return StoreUnreachable(
            f'There is no database "{address.database}" at {address.shown}; create it'
            f" (`createdb {address.database}`) or correct PGFLOW_DATABASE_URL."
        )
    if any(sign in words for sign in _NO_PLACE):
        return StoreUnreachable(_full(f"{words}.", address), "busy")
    if any(sign in words for sign in _NOT_YET):
        return StoreUnreachable(
            f"PostgreSQL at {address.shown} is not available now: {words}.", "busy"
        )
    return StoreUnreachable(
        f"No PostgreSQL answers at {address.shown}: {words}. Start it or correct"
        " PGFLOW_DATABASE_URL.",
        "away",
    )


def _full(message: str, address: Address) -> str:
    return (
        f"PostgreSQL at {address.shown} takes no more connections: {message} End some, raise the"
        " limit (max_connections of the server, or that of the user or the database), or put a"
        " connection pooler in front of it."
    )


def _denial(words: str, address: Address) -> str | None:
    server, user = f"PostgreSQL at {address.shown}", _user(address)
    if "no password supplied" in words:
        return (
            f'{server} wants a password for user "{user}", and there is none; write'
            " postgresql://user:password@host:5432/name in PGFLOW_DATABASE_URL."
        )
    if "password authentication failed" in words:
        return f'{server} refused the password of user "{user}"; correct PGFLOW_DATABASE_URL.'
    if "role" in words and "does not exist" in words:
        return f'{server} has no user "{user}"; create it or correct PGFLOW_DATABASE_URL.'
    if "no pg_hba.conf entry" in words or "permission denied for database" in words:
        return f"{server} refused the connection: {words}."
    return None


def _words(cause: psycopg2.Error) -> str:
    """Return what libpq says in one line, without its questions: what to do we say ourselves."""
    lines = [line.strip() for line in str(cause).splitlines()]
    return " ".join(line for line in lines if line and not line.endswith("?")).rstrip(".")


def _user(address: Address) -> str:
    return address.user or "of this process"

"""Computes the concurrency keys of requests, before anybody takes them.

PostgreSQL itself knows the key where the expression is a plain path and the value a short one. Of
all else, whoever takes requests computes it here, for many requests at a time.
"""

import json
from hashlib import sha256
from typing import Any, Final
from uuid import UUID

from dagster_pgflow.errors import InvalidExpression, in_short_words
from dagster_pgflow.expressions.cel import value_expression
from dagster_pgflow.json_values.text import read_own_json
from dagster_pgflow.model.options import KEY_ROOTS
from dagster_pgflow.step_errors import ExpressionFailed, ValueNotJson
from dagster_pgflow.store.database import Database, Transaction

AT_A_TIME: Final = 500
MOST_BYTES: Final = 1024 * 1024
"""How many inputs are read at a time, and of what size, as PostgreSQL stores them."""

MOST_LOOKS: Final = 20
"""How often one who takes requests computes keys before those that have one must do."""

LONGEST_KEY: Final = 200
"""In bytes of UTF-8; of a longer one, its hash stands in the index, for its equal and no other."""


def give_keys(database: Database, flow_slug: str) -> None:
    """Compute the concurrency keys of the oldest requests of a flow that have none yet.

    A request whose input has no key is refused, alone.
    """
    database.run(lambda transaction: _give_keys(transaction, flow_slug))


def _give_keys(transaction: Transaction, flow_slug: str) -> None:
    rows = transaction.fetch_all(
        "fetch_requests_without_key",
        flow_slug=flow_slug,
        limit=AT_A_TIME,
        most_bytes=MOST_BYTES,
    )
    keys: dict[UUID, str] = {}
    for row in rows:
        try:
            keys[row["run_id"]] = key_of(row["expression"], row["input"])
        except (InvalidExpression, ExpressionFailed, ValueNotJson) as error:
            reason = (
                f'The concurrency key of flow "{flow_slug}", `{row["expression"]}`, has no value'
                f" for the input of this run: {error}"
            )
            transaction.fetch_value(
                "refuse_request", run_id=str(row["run_id"]), reason=in_short_words(reason)
            )
    if keys:
        transaction.execute(
            "put_concurrency_keys",
            run_ids=[str(run_id) for run_id in keys],
            concurrency_keys=list(keys.values()),
        )


def key_of(expression: str | None, input_text: str) -> str:
    """Return the key of an input: JSON text, equal for equal values; empty without expression.

    >>> (
    ...     key_of("input.n", '{"n": 1}'),
    ...     key_of("input.n", '{"n": 1.0}'),
    ...     key_of("input.n", '{"n": "1"}'),
    ... )
    ('1', '1', '"1"')

    Args:
        expression: CEL over `input`; none where the flow has lost its key meanwhile.
        input_text: The input of the run, as JSON.

    Raises:
        InvalidExpression: It is no CEL.
        ExpressionFailed: It has no value for this input.
        ValueNotJson: The input cannot be read.
    """
    if expression is None:
        return ""
    values = {"input": read_own_json(input_text, "The input")}
    value = value_expression(expression, KEY_ROOTS).value(values)
    text = json.dumps(_as_one(value), ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    encoded = text.encode(errors="backslashreplace")
    return text if len(encoded) <= LONGEST_KEY else f"sha256:{sha256(encoded).hexdigest()}"


def _as_one(value: Any) -> Any:
    """Return a value so that equal numbers are written in one way."""
    match value:
        case float() if value.is_integer():
            return int(value)
        case list():
            return [_as_one(element) for element in value]
        case dict():
            return {name: _as_one(element) for name, element in value.items()}
        case _:
            return value

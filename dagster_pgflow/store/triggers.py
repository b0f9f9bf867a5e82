"""Triggers: rows that have flows started by the ends of runs, by assets and by signals."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypedDict, Unpack
from uuid import UUID

from pydantic import ValidationError
from sqlalchemy import RowMapping

from dagster_pgflow.errors import InvalidFlow, Problem
from dagster_pgflow.json_values.text import read_own_json, write_json_or_null
from dagster_pgflow.model.trigger import Trigger, TriggerEvent, Verdict
from dagster_pgflow.store.database import Database, Transaction
from dagster_pgflow.store.refusals import refusals_as_problems
from dagster_pgflow.validation.triggers import problems_of_trigger

CIRCLE: Final = "trigger-circle"


class TriggerFields(TypedDict, total=False):
    """What `Triggers.create` takes by name; see `model.trigger`."""

    source_flow: str | None
    asset_key: str | None
    signal_name: str | None
    condition: str | None
    input: Any
    enabled: bool


@dataclass(frozen=True)
class StoredTrigger:
    """A trigger as the store has it.

    Attributes:
        trigger: The trigger.
        active_since: Since when it looks at events.
        pending: How many events it has yet to look at.
        last_outcome: What it last made of one; `None` when it has looked at none.
        last_reason: Why it came to nothing.
        last_run_id: The run that it asked for then.
        last_decided_at: When that was.
        problems: What is wrong with it, as far as that can be said without an event.
    """

    trigger: Trigger
    active_since: datetime
    pending: int
    last_outcome: Verdict | None
    last_reason: str | None
    last_run_id: UUID | None
    last_decided_at: datetime | None
    problems: tuple[Problem, ...]


class Triggers:
    """Creates, lists and deletes triggers; the same rules as the SQL functions.

    Example:
        >>> triggers = Triggers(database)  # doctest: +SKIP
        >>> triggers.create("report_orders", "run.completed", "report", source_flow="order")
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(
        self,
        name: str,
        on_event: TriggerEvent,
        target_flow: str,
        **fields: Unpack[TriggerFields],
    ) -> StoredTrigger:
        """Store a trigger, or return the equal one that exists.

        What happened before it was stored starts nothing.

        Args:
            name: Its name, a slug.
            on_event: What it looks at.
            target_flow: The flow that it starts.
            **fields: See `TriggerFields`.

        Raises:
            InvalidFlow: With every problem; nothing was changed.
        """
        given = {"name": name, "on_event": on_event, "target_flow": target_flow, **fields}
        wanted = _parsed(given)
        problems = tuple(problems_of_trigger(wanted))
        if problems:
            raise InvalidFlow(name, problems, "Trigger")
        row = wanted.model_dump() | {
            "input": write_json_or_null(wanted.input, f'The input of trigger "{name}"')
        }

        def create(transaction: Transaction) -> StoredTrigger:
            transaction.fetch_value("create_trigger", **row)
            rows = transaction.fetch_all("fetch_triggers", flow_slug=target_flow)
            return next(_stored(found) for found in rows if found["name"] == name)

        with refusals_as_problems(self._database, name, kind="Trigger"):
            return self._database.run(create)

    def list(self, flow_slug: str | None = None) -> tuple[StoredTrigger, ...]:
        """Return the triggers by name: all, or those that name a flow on one of their ends."""
        rows = self._database.fetch_all("fetch_triggers", flow_slug=flow_slug)
        return tuple(_stored(row) for row in rows)

    def delete(self, name: str) -> None:
        """Delete a trigger; what it has started goes on.

        Raises:
            StoreRefused: There is no such trigger.
        """
        self._change("delete_trigger", name=name)

    def enable(self, name: str, *, enabled: bool = True) -> None:
        """Turn a trigger on or off; it starts nothing for what happened while it was off.

        Raises:
            StoreRefused: There is no such trigger.
        """
        self._change("enable_trigger", name=name, enabled=enabled)

    def _change(self, query: str, **parameters: Any) -> None:
        self._database.run(lambda transaction: transaction.fetch_value(query, **parameters))


def _parsed(fields: dict[str, Any]) -> Trigger:
    try:
        return Trigger(**fields)
    except ValidationError as error:
        problems = [
            Problem(
                "wrong-value" if found["type"] != "extra_forbidden" else "unknown-field",
                ".".join(map(str, found["loc"])) or "$",
                f"{found['msg']}.",
            )
            for found in error.errors(include_url=False, include_input=False)
        ]
        raise InvalidFlow(str(fields["name"]), problems, "Trigger") from None


def _stored(row: RowMapping) -> StoredTrigger:
    values = dict(row)
    closes_circle = values.pop("closes_circle")
    text = values.pop("input")
    trigger = Trigger(
        **{field: values.pop(field) for field in Trigger.model_fields if field in values},
        input=None if text is None else read_own_json(text, "The input of a trigger"),
    )
    problems = (*problems_of_trigger(trigger), *_circle(trigger, closes=closes_circle))
    return StoredTrigger(trigger=trigger, problems=problems, **values)


def _circle(trigger: Trigger, *, closes: bool) -> Sequence[Problem]:
    if not closes:
        return ()
    message = (
        f'What "{trigger.target_flow}" starts leads back to this trigger, without any condition: a'
        " circle that ends after 100 runs. Give one of its triggers a condition."
    )
    return (Problem(CIRCLE, "target_flow", message),)

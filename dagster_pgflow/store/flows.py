"""Writes definitions: step by step like the SQL functions, or whole flows at once."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypedDict, Unpack

from dagster_pgflow.errors import InvalidFlow, Problem, StoreRefused, UnknownFlow, UnknownVersion
from dagster_pgflow.json_values.text import write_json, write_json_or_null, write_own_json
from dagster_pgflow.model.arguments import Call
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.options import Jitter, StepOptions
from dagster_pgflow.model.steps import Step, StepFields, as_documents_have_them
from dagster_pgflow.model.stored_form import stored_form
from dagster_pgflow.model.webhook import Webhook
from dagster_pgflow.store.database import Database, Transaction
from dagster_pgflow.store.definition_text import flow_of_text, same_definition
from dagster_pgflow.store.failures import unknown_or_refused
from dagster_pgflow.store.flows_around import broken_around
from dagster_pgflow.store.refusals import (
    known_flows,
    refusals_as_problems,
    refuse_broken,
    refuse_new_problems,
    refuse_problems,
)
from dagster_pgflow.validation.validate import ensure_valid, parse_flow


@dataclass(frozen=True)
class FlowSummary:
    """What a list of flows shows.

    Attributes:
        slug: The flow.
        description: What it is for.
        version: Counts its versions from 1.
        version_id: Counts the versions of all flows.
        steps: How many steps it has.
        created_at: When it was created.
        changed_at: When its newest version was published.
    """

    slug: str
    description: str
    version: int
    version_id: int
    steps: int
    created_at: datetime
    changed_at: datetime


class FlowFields(TypedDict, total=False):
    """The fields of a flow that `FlowBuilder.create_flow` takes by name; see `model.flow`."""

    max_attempts: int | None
    base_delay: int | None
    timeout: int | None
    timeout_ms: int | None
    max_delay: int | None
    jitter: Jitter | None
    description: str
    tags: dict[str, str]
    input_schema: Any
    output_schema: Any
    merge_output: bool
    max_concurrent_runs: int | None
    concurrency_key: str | None
    max_concurrent_runs_per_key: int | None
    on_event: Webhook | None
    max_recoveries: int | None


class FlowBuilder:
    """Creates, reads and deletes flows; the same rules as the SQL functions of these names.

    Example:
        >>> builder = FlowBuilder(database)  # doctest: +SKIP
        >>> builder.create_flow("ai_workflow")
        >>> builder.add_step("ai_workflow", "fetch")
        >>> builder.add_step("ai_workflow", "process", ["fetch"], step_type="map")
        >>> builder.add_step("ai_workflow", "save", ["process"])
    """

    def __init__(self, database: Database) -> None:
        self._database = database.logging_waits()

    def create_flow(self, flow_slug: str, **fields: Unpack[FlowFields]) -> Flow:
        """Create an empty flow, or return the one that exists unchanged.

        Args:
            **fields: See `FlowFields`.

        Raises:
            InvalidFlow: With every problem; nothing was changed.
        """
        call = Call(str(flow_slug), ".create_flow()", "", FlowFields.__annotations__)
        strangers = [name for name in fields if name not in call.takes]
        wanted = call.make(Flow, {"slug": flow_slug} | dict(fields), strangers)
        ensure_valid(wanted)

        def create(transaction: Transaction) -> Flow:
            transaction.fetch_value("create_flow", **_flow_columns(wanted))
            return _fetch_flow(transaction, flow_slug)

        with refusals_as_problems(self._database, flow_slug):
            return self._database.run(create)

    def add_step(
        self,
        flow_slug: str,
        step_slug: str,
        depends_on: Sequence[str] = (),
        **fields: Unpack[StepFields],
    ) -> Step:
        """Add a step behind the steps that it depends on, or return the equal one that exists.

        Each call publishes a version of the flow; for a flow of many steps use `define_flow`.

        Args:
            step_slug: The step's name in it.
            depends_on: Steps that exist already.
            **fields: See `StepFields`; `flow` is the slug that a subflow step runs.

        Raises:
            InvalidFlow: With every problem that the flow has with this step and had not without
                it, in the words of `define_flow`; nothing was changed. That a step is still missing
                which a branch, a loop or a subflow leads to is no problem yet.
            UnknownFlow: There is no such flow.
        """
        step = _parse_step(flow_slug, step_slug, depends_on, fields)
        definition = _step_text(step)

        def add(transaction: Transaction) -> None:
            stored = _fetch_flow(transaction, flow_slug)
            refuse_new_problems(transaction, stored, step)
            transaction.fetch_value("define_step", flow_slug=flow_slug, definition=definition)

        with refusals_as_problems(self._database, flow_slug, f"steps.{step_slug}"):
            self._database.run(add)
        return step

    def list_flows(self) -> tuple[FlowSummary, ...]:
        """Return a summary of every flow, by slug."""
        rows = self._database.fetch_all("fetch_flow_summaries")
        return tuple(FlowSummary(**row) for row in rows)

    def get_flow(self, flow_slug: str, version: int | None = None) -> Flow:
        """Return a flow as it stands now, or one of its versions.

        Args:
            flow_slug: The flow; its versions can be read after it was deleted, too.
            version: Counts the versions of this flow from 1.

        Raises:
            UnknownFlow: There is no such flow.
            UnknownVersion: The flow has no such version.
        """
        if version is None:
            return self._database.run(lambda transaction: _fetch_flow(transaction, flow_slug))
        return self._database.run(
            lambda transaction: _fetch_version(transaction, flow_slug, version)
        )

    def delete_flow(self, flow_slug: str, *, force: bool = False, with_runs: bool = False) -> None:
        """Delete a flow; its versions stay, and so do its runs unless `with_runs` is true.

        Args:
            force: Delete it although other flows contain it or runs of it are under way.
                Requests of it that Dagster has not begun end as failed runs.
            with_runs: Delete its runs that are over, too: their rows, events, and outputs.

        Raises:
            UnknownFlow: There is no such flow.
            StoreRefused: It is in use.
        """
        try:
            self._database.run(
                lambda transaction: transaction.fetch_value(
                    "delete_flow", flow_slug=flow_slug, force=force, with_runs=with_runs
                ),
                is_repeatable=False,
            )
        except StoreRefused as error:
            raise unknown_or_refused(flow_slug, error) from error

    def define_flow(self, flow: Flow) -> int:
        """Store a whole flow, in place of what was there, and return its version number.

        A flow that is stored already as it is gets no new version.

        Raises:
            InvalidFlow: With every problem; nothing was changed.
        """
        return self.define_flows([flow])[flow.slug]

    def define_flows(self, flows: Iterable[Flow]) -> dict[str, int]:
        """Store several flows, which may contain each other: all of them or none.

        Returns:
            The version number of each flow by slug.

        Raises:
            InvalidFlow: With every problem of every flow, and of stored flows that contain one of
                them as it was before; nothing was changed.
        """
        given = _by_slug(flows)

        def define(transaction: Transaction) -> dict[str, int]:
            watermark = int(transaction.fetch_value("fetch_watermark"))
            refuse_problems(given, known_flows(transaction, given))
            # Everybody locks flows in this order, and the log of versions last: no deadlocks.
            for slug in sorted(given):
                _store(transaction, given[slug])
            published = {slug: _publish(transaction, slug) for slug in given}
            refuse_broken(broken_around(transaction, given, watermark), ", ".join(given))
            return published

        with refusals_as_problems(self._database, ", ".join(given)):
            return self._database.run(define)


def _flow_columns(flow: Flow) -> dict[str, Any]:
    """Return the parameters of the query `create_flow`."""
    about = f'flow "{flow.slug}"'
    said = flow.options.model_dump(mode="json", include={"on_event"}, exclude_defaults=True)
    webhook = said.get("on_event")
    return {
        "flow_slug": flow.slug,
        **flow.options.model_dump(exclude={"on_event"}),
        "description": flow.description,
        "tags": write_json(flow.tags, f"The tags of {about}"),
        "input_schema": write_json_or_null(flow.input_schema, f"The input schema of {about}"),
        "output_schema": write_json_or_null(flow.output_schema, f"The output schema of {about}"),
        "merge_output": flow.merge_output,
        "on_event": write_json_or_null(webhook, f"The webhook of {about}"),
    }


def _step_text(step: Step) -> str:
    # The JSON form of a model says null for NaN: what cannot be stored must be found before.
    for name, value in step.model_dump(by_alias=True).items():
        write_json(value, f'The {name.replace("_", " ")} of step "{step.slug}"')
    return write_own_json(step.to_json(), f'The definition of step "{step.slug}"')


def _by_slug(flows: Iterable[Flow]) -> dict[str, Flow]:
    given: dict[str, Flow] = {}
    for flow in flows:
        if flow.slug in given:
            message = f'Two of the flows are called "{flow.slug}"; give one another slug.'
            raise InvalidFlow(flow.slug, [Problem("duplicate-flow", "slug", message)])
        given[flow.slug] = flow
    return given


def replace_flow(transaction: Transaction, flow: Flow) -> int:
    """Store a sound flow, unless it is stored as it is, and return its version number."""
    _store(transaction, flow)
    return _publish(transaction, flow.slug)


def _store(transaction: Transaction, flow: Flow) -> None:
    meaning = f'The definition of flow "{flow.slug}"'
    # The JSON form of a model says null for NaN: what cannot be stored must be found before.
    write_own_json(flow.model_dump(), meaning)
    document = stored_form(flow)
    stored = transaction.fetch_value("fetch_flow_definition", flow_slug=flow.slug)
    if stored is None or not same_definition(stored, document):
        transaction.fetch_value("replace_flow", definition=write_own_json(document, meaning))


def _publish(transaction: Transaction, flow_slug: str) -> int:
    return int(transaction.fetch_value("publish_flow", flow_slug=flow_slug))


def _fetch_flow(transaction: Transaction, flow_slug: str) -> Flow:
    definition = transaction.fetch_value("fetch_flow_definition", flow_slug=flow_slug)
    if definition is None:
        raise UnknownFlow(flow_slug)
    return flow_of_text(flow_slug, definition)


def _fetch_version(transaction: Transaction, flow_slug: str, version: int) -> Flow:
    found = transaction.fetch_one("fetch_flow_version", flow_slug=flow_slug, version=version)
    if found is None or found["newest"] is None:
        raise UnknownFlow(flow_slug)
    if found["definition"] is None:
        raise UnknownVersion(flow_slug, version, found["newest"])
    return flow_of_text(flow_slug, found["definition"])


def _parse_step(
    flow_slug: str, step_slug: str, depends_on: Sequence[str], fields: StepFields
) -> Step:
    flat: dict[str, Any] = dict(fields)
    options = {name: flat.pop(name) for name in StepOptions.model_fields if name in flat}
    document = {
        "type": flat.pop("step_type", "single"),
        "slug": step_slug,
        "depends_on": tuple(dict.fromkeys(depends_on)),
        "options": options,
        **as_documents_have_them(flat),
    }
    return parse_flow({"slug": flow_slug, "steps": [document]}).steps[0]

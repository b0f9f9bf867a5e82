"""Writes definitions: step by step like the SQL functions, or whole flows at once."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypedDict, Unpack

from dagster_pgflow.errors import InvalidFlow, Problem, StoreRefused, UnknownFlow, UnknownVersion
from dagster_pgflow.json_values.text import write_json, write_json_or_null, write_own_json
from dagster_pgflow.model.arguments import Call
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.fluent import StepConduct, WrittenRule, with_lists
from dagster_pgflow.model.options import Jitter, StepOptions
from dagster_pgflow.model.step import JsonSchema, Step, SubflowMode, SubflowStep
from dagster_pgflow.model.stored_form import stored_form
from dagster_pgflow.store.database import Database, Transaction
from dagster_pgflow.store.definition_text import flow_of_text, same_definition
from dagster_pgflow.store.failures import unknown_or_refused
from dagster_pgflow.store.flows_around import broken_around, tree_at
from dagster_pgflow.store.step_columns import step_columns
from dagster_pgflow.validation.expressions import expressions_are_conditions
from dagster_pgflow.validation.schemas import schemas_are_json_schemas
from dagster_pgflow.validation.validate import parse_flow, validate


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
    max_delay: int | None
    jitter: Jitter | None
    description: str
    tags: dict[str, str]
    input_schema: Any
    output_schema: Any


class StepFields(StepConduct, total=False):
    """The fields of a step that `FlowBuilder.add_step` takes by name; see `model.step`."""

    step_type: Literal["single", "map", "subflow", "branch", "join", "loop"]
    handler: str
    params: dict[str, Any]
    flow: str
    input: dict[str, Any]
    output: dict[str, Any] | str
    on_failure: str
    over: str
    mode: SubflowMode
    batch_size: int
    collect_errors: bool
    pipelined: bool
    max_failures: int
    max_failures_percent: int
    rules: Sequence[WrittenRule]
    default_path: Sequence[str] | str
    wait: Literal["all", "any"] | int
    back_to: str
    condition: str
    max_iterations: int
    break_path: Sequence[str] | str
    timeout_path: Sequence[str] | str
    input_schema: JsonSchema
    output_schema: JsonSchema
    pool: str


class FlowBuilder:
    """Creates, reads and deletes flows; the same rules as the SQL functions of these names.

    Args:
        database: The store.

    Example:
        >>> builder = FlowBuilder(database)  # doctest: +SKIP
        >>> builder.create_flow("ai_workflow")
        >>> builder.add_step("ai_workflow", "fetch")
        >>> builder.add_step("ai_workflow", "process", ["fetch"], step_type="map")
        >>> builder.add_step("ai_workflow", "save", ["process"])
    """

    def __init__(self, database: Database) -> None:
        self._database = database.telling_of_waits()

    def create_flow(self, flow_slug: str, **fields: Unpack[FlowFields]) -> Flow:
        """Create an empty flow, or return the one that exists unchanged.

        Args:
            flow_slug: Its name.
            **fields: See `FlowFields`.

        Raises:
            InvalidFlow: A field is unknown or has the wrong type, or a schema is none.
            StoreRefused: The slug or an option is not valid.
        """
        call = Call(str(flow_slug), ".create_flow()", "", FlowFields.__annotations__)
        strangers = [name for name in fields if name not in call.takes]
        wanted = call.make(Flow, {"slug": flow_slug} | dict(fields), strangers)
        problems = tuple(schemas_are_json_schemas(wanted, None))
        if problems:
            raise InvalidFlow(flow_slug, problems)

        def create(transaction: Transaction) -> Flow:
            transaction.fetch_value("create_flow", **_flow_columns(wanted))
            return _fetch_flow(transaction, flow_slug)

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
            flow_slug: The flow.
            step_slug: The step's name in it.
            depends_on: Steps that exist already.
            **fields: See `StepFields`; `flow` is the slug that a subflow step runs.

        Raises:
            InvalidFlow: A field is unknown or has the wrong type, or an expression is none.
            UnknownFlow: There is no such flow.
            StoreRefused: The step cannot be added: a dependency does not exist, a map has more
                than one, another step has the slug ...; nothing was changed.
        """
        step = _parse_step(flow_slug, step_slug, depends_on, fields)
        try:
            self._database.fetch_value("add_step", flow_slug=flow_slug, **step_columns(step))
        except StoreRefused as error:
            raise unknown_or_refused(flow_slug, error) from error
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
        """Delete a flow; its versions stay, and so do its runs unless told otherwise.

        Args:
            flow_slug: The flow.
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
            _refuse_problems(given, known_flows(transaction, given))
            # Everybody locks flows in this order, and the log of versions last: no deadlocks.
            for slug in sorted(given):
                _store(transaction, given[slug])
            published = {slug: _publish(transaction, slug) for slug in given}
            _refuse_broken(broken_around(transaction, given, watermark), ", ".join(given))
            return published

        return self._database.run(define)


def _flow_columns(flow: Flow) -> dict[str, Any]:
    """Return the parameters of the query `create_flow`."""
    about = f'flow "{flow.slug}"'
    return {
        "flow_slug": flow.slug,
        **flow.options.model_dump(),
        "description": flow.description,
        "tags": write_json(flow.tags, f"The tags of {about}"),
        "input_schema": write_json_or_null(flow.input_schema, f"The input schema of {about}"),
        "output_schema": write_json_or_null(flow.output_schema, f"The output schema of {about}"),
    }


def _by_slug(flows: Iterable[Flow]) -> dict[str, Flow]:
    given: dict[str, Flow] = {}
    for flow in flows:
        if flow.slug in given:
            message = f'Two of the flows are called "{flow.slug}"; give one another slug.'
            raise InvalidFlow(flow.slug, [Problem("duplicate-flow", "slug", message)])
        given[flow.slug] = flow
    return given


def known_flows(transaction: Transaction, given: Mapping[str, Flow]) -> dict[str, Flow]:
    """Return the given flows and all stored ones that these contain, by slug."""
    named = {
        step.flow for flow in given.values() for step in flow.steps if isinstance(step, SubflowStep)
    }
    stored: dict[str, Flow] = {}
    for slug in sorted(named - given.keys()):
        if slug not in stored:
            stored |= tree_at(transaction, slug)
    return {**stored, **given}


def _refuse_problems(given: Mapping[str, Flow], known: Mapping[str, Flow]) -> None:
    problems = {slug: found for slug, flow in given.items() if (found := validate(flow, known))}
    if not problems:
        return
    if len(given) == 1:
        [(slug, found)] = problems.items()
        raise InvalidFlow(slug, found)
    named = [
        Problem(problem.code, f"{slug}.{problem.path}", problem.message)
        for slug, found in problems.items()
        for problem in found
    ]
    raise InvalidFlow(", ".join(problems), named)


def _refuse_broken(found: Iterable[tuple[str, Problem]], changed: str) -> None:
    problems = [
        Problem(problem.code, f"{slug}.{problem.path}", problem.message) for slug, problem in found
    ]
    if problems:
        raise InvalidFlow(changed, problems)


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
        **with_lists(flat),
    }
    flow = parse_flow({"slug": flow_slug, "steps": [document]})
    # PostgreSQL checks all else, but knows no CEL.
    problems = tuple(expressions_are_conditions(flow, None))
    if problems:
        raise InvalidFlow(flow_slug, problems)
    return flow.steps[0]

"""What nodes say in the words of flow documents: the fields of steps that are called the same."""

from typing import Any, ClassVar, Final

from pydantic import BaseModel, ConfigDict, Field

from dagster_pgflow.model.described import Examples, examples_of
from dagster_pgflow.model.exact import Flag
from dagster_pgflow.model.guards import AnyBulkhead, AnyCircuitBreaker, AnyRateLimiter
from dagster_pgflow.model.steps.fields import JsonSchema, WhenExhausted, WhenUnmet
from dagster_pgflow.model.steps.hooked import CheckSchemas, HookedStep


class NodeSettings(BaseModel):
    """What a node of any type says about how it runs, as far as its step has such a field.

    Attributes:
        if_: A JSON pattern that what the node receives must contain.
        if_not: A JSON pattern that what the node receives must not contain.
        run_if: A condition in CEL that must hold.
        run_unless: A condition in CEL that must not hold.
        when_unmet: What happens when one of these conditions is not met.
        when_exhausted: What happens when the last attempt has failed.
        on_failure: The node that the run goes on with when this one failed for good.
        on_timeout: The same, when its last attempt took too long.
        merge_input: Whether it receives the objects of the nodes before it as one object.
        keep_input: Whether what it returns is laid over what it received.
        input_schema: JSON Schema of what its handler takes.
        output_schema: JSON Schema of what its handler returns.
        check_schemas: What it means that a value does not fit its schema.
        coerce: Whether 5.0 is made 5 where a schema wants an integer.
        pool: The pool of Dagster that it takes a slot of.
        before: The handlers that its input passes through first.
        after: The handlers that its output passes through.
        requires: The resources that its handlers use.
        produces: The keys of the assets that are materialized when it completes.
        consumes: The keys of the assets that it works from.
        partition: Which partition of what it produces that is.
        circuit_breaker: Refuses its calls for a while once too many of the last ones failed.
        bulkhead: How many of its calls are under way at once.
        rate_limiter: How many of its calls begin in each period.
    """

    # Only the alias is a word of documents: "if", not "if_".
    model_config = ConfigDict(frozen=True, extra="forbid")

    examples: ClassVar[Examples] = examples_of(HookedStep)

    if_: dict[str, Any] | None = Field(default=None, alias="if")
    if_not: dict[str, Any] | None = None
    run_if: str | None = None
    run_unless: str | None = None
    when_unmet: WhenUnmet | None = None
    when_exhausted: WhenExhausted | None = None
    on_failure: str | None = None
    on_timeout: str | None = None
    merge_input: Flag | None = None
    keep_input: Flag | None = None
    input_schema: JsonSchema | None = None
    output_schema: JsonSchema | None = None
    check_schemas: CheckSchemas | None = None
    coerce: Flag | None = None
    pool: str | None = None
    before: list[str] | None = None
    after: list[str] | None = None
    requires: list[str] | None = None
    produces: list[str] | None = None
    consumes: list[str] | None = None
    partition: str | None = None
    circuit_breaker: AnyCircuitBreaker = None
    bulkhead: AnyBulkhead = None
    rate_limiter: AnyRateLimiter = None

    def said(self) -> dict[str, Any]:
        """Return what is said, by the names that the fields of steps have in Python."""
        given = {name: getattr(self, name) for name in SETTINGS}
        return {name: value for name, value in given.items() if value is not None}

    def failure_nodes(self) -> dict[str, str]:
        """Return the nodes that the run goes on with when this one failed, by field."""
        given = {"on_failure": self.on_failure, "on_timeout": self.on_timeout}
        return {name: id for name, id in given.items() if id is not None}


SETTINGS: Final[tuple[str, ...]] = tuple(NodeSettings.model_fields)


def written_name(setting: str) -> str:
    """Return what documents call a setting."""
    return NodeSettings.model_fields[setting].alias or setting

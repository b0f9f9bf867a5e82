"""The list of rules, and the two ways to apply it."""

from typing import Any

from pydantic import ValidationError

from dagster_pgflow.errors import InvalidFlow, Problem
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.validation.assets import assets_have_keys
from dagster_pgflow.validation.concurrency import concurrency_keys_are_values
from dagster_pgflow.validation.cycles import dependencies_form_no_cycle
from dagster_pgflow.validation.defaults import default_answers_fit, defaults_fit_and_end
from dagster_pgflow.validation.dependencies import dependencies_exist
from dagster_pgflow.validation.expressions import expressions_are_conditions
from dagster_pgflow.validation.failure_steps import failures_lead_to_a_step
from dagster_pgflow.validation.fields import fields_can_be_there
from dagster_pgflow.validation.guards import guards_are_in_range
from dagster_pgflow.validation.handlers import handlers_have_names
from dagster_pgflow.validation.hooks import hooks_are_handlers
from dagster_pgflow.validation.kinds import steps_keep_their_rules
from dagster_pgflow.validation.limits import values_are_within_limits
from dagster_pgflow.validation.lists import subflows_run_over_lists
from dagster_pgflow.validation.loop_bodies import loops_repeat_whole_parts
from dagster_pgflow.validation.loops import loops_go_back
from dagster_pgflow.validation.node_types import node_types_are_known_and_configured
from dagster_pgflow.validation.options import options_are_in_range, timeouts_agree
from dagster_pgflow.validation.pipelines import pipelined_maps_can_begin_early
from dagster_pgflow.validation.pools import pools_are_named_as_slugs
from dagster_pgflow.validation.references import references_lead_to_steps
from dagster_pgflow.validation.rule import KnownFlows, Rule
from dagster_pgflow.validation.schedules import schedules_can_fire
from dagster_pgflow.validation.schemas import schemas_are_json_schemas
from dagster_pgflow.validation.shape import problems_of_shape
from dagster_pgflow.validation.size import flow_fits_in_one_run
from dagster_pgflow.validation.slugs import slugs_are_valid_and_unique
from dagster_pgflow.validation.subflow_inputs import subflows_get_what_they_take
from dagster_pgflow.validation.subflow_outputs import subflows_return_what_there_is
from dagster_pgflow.validation.subflows import subflows_exist_and_end
from dagster_pgflow.validation.tags import tags_are_few_and_short
from dagster_pgflow.validation.targets import routes_lead_to_steps
from dagster_pgflow.validation.webhooks import webhooks_can_be_told

RULES: tuple[Rule, ...] = (
    slugs_are_valid_and_unique,
    dependencies_exist,
    dependencies_form_no_cycle,
    steps_keep_their_rules,
    pipelined_maps_can_begin_early,
    pools_are_named_as_slugs,
    guards_are_in_range,
    expressions_are_conditions,
    loops_go_back,
    routes_lead_to_steps,
    loops_repeat_whole_parts,
    subflows_exist_and_end,
    references_lead_to_steps,
    fields_can_be_there,
    handlers_have_names,
    hooks_are_handlers,
    assets_have_keys,
    node_types_are_known_and_configured,
    failures_lead_to_a_step,
    subflows_run_over_lists,
    subflows_get_what_they_take,
    subflows_return_what_there_is,
    flow_fits_in_one_run,
    options_are_in_range,
    timeouts_agree,
    concurrency_keys_are_values,
    webhooks_can_be_told,
    schedules_can_fire,
    schemas_are_json_schemas,
    defaults_fit_and_end,
    default_answers_fit,
    tags_are_few_and_short,
)


def validate(flow: Flow, known: KnownFlows = None) -> tuple[Problem, ...]:
    """Return every problem of a flow; an empty tuple means that it is sound.

    Where values are beyond the limits of JSON from outside, nothing else is looked at: the rules
    recurse over what is nested.

    Args:
        flow: The definition.
        known: The other flows by slug; without them the names of subflows are not checked.
    """
    too_much = tuple(values_are_within_limits(flow, known))
    return too_much or tuple(problem for rule in RULES for problem in rule(flow, known))


def ensure_valid(flow: Flow, known: KnownFlows = None) -> None:
    """Raise when a flow has problems.

    Raises:
        InvalidFlow: With every problem.
    """
    problems = validate(flow, known)
    if problems:
        raise InvalidFlow(flow.slug, problems)


def parse_flow(document: Any) -> Flow:
    """Read a flow from its JSON form.

    Args:
        document: What `Flow.to_json` returns: an object with at least a `slug`.

    Raises:
        InvalidFlow: The document has not the shape of a flow; every place is named.
    """
    if not isinstance(document, dict) or not all(isinstance(key, str) for key in document):
        message = "A flow is an object of named fields, with at least a slug."
        raise InvalidFlow("?", [Problem("not-an-object", "$", message)])
    try:
        return Flow.model_validate(document)
    except ValidationError as error:
        raise InvalidFlow(str(document.get("slug", "?")), problems_of_shape(error)) from None

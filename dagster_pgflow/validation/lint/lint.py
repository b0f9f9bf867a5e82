"""The list of warnings, and how to ask for them."""

from dagster_pgflow.errors import Problem
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.validation.limits import values_are_within_limits
from dagster_pgflow.validation.lint.cascades import final_steps_are_reached
from dagster_pgflow.validation.lint.conditions import conditions_can_hold
from dagster_pgflow.validation.lint.delays import delays_have_an_effect
from dagster_pgflow.validation.lint.joins import joins_can_do_without
from dagster_pgflow.validation.lint.left_behind import steps_are_not_left_behind
from dagster_pgflow.validation.lint.loops import loops_come_to_an_end
from dagster_pgflow.validation.lint.map_sources import maps_are_fed_lists
from dagster_pgflow.validation.lint.mapped_skips import mappings_need_what_is_there
from dagster_pgflow.validation.lint.merged_lists import no_list_is_merged
from dagster_pgflow.validation.lint.settings import settings_have_an_effect
from dagster_pgflow.validation.lint.tags import tags_reach_the_runs
from dagster_pgflow.validation.lint.targets import targets_have_one_leader
from dagster_pgflow.validation.rule import KnownFlows, Rule

LINTS: tuple[Rule, ...] = (
    conditions_can_hold,
    settings_have_an_effect,
    delays_have_an_effect,
    final_steps_are_reached,
    maps_are_fed_lists,
    no_list_is_merged,
    mappings_need_what_is_there,
    joins_can_do_without,
    loops_come_to_an_end,
    targets_have_one_leader,
    steps_are_not_left_behind,
    tags_reach_the_runs,
)


def lint(flow: Flow, known: KnownFlows = None) -> tuple[Problem, ...]:
    """Return what somebody should look at; a flow with warnings can be stored and run.

    Args:
        flow: The definition.
        known: The other flows by slug; without them nothing is said about its subflows.
    """
    if any(values_are_within_limits(flow, known)):
        return ()
    return tuple(warning for check in LINTS for warning in check(flow, known))

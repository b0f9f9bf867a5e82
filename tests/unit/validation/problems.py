"""What a rule found, in a form that reads well in a test."""

from dagster_pgflow.errors import Problem
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.validation.rule import KnownFlows, Rule


def problems_found(rule: Rule, flow: Flow, known: KnownFlows = None) -> list[tuple[str, str, str]]:
    """Return code, path and sentence of each problem that one rule finds."""
    return [as_tuple(problem) for problem in rule(flow, known)]


def as_tuple(problem: Problem) -> tuple[str, str, str]:
    return problem.code, problem.path, problem.message


def places(rule: Rule, flow: Flow, known: KnownFlows = None) -> list[tuple[str, str]]:
    """Return code and path of each problem that one rule finds."""
    return [(problem.code, problem.path) for problem in rule(flow, known)]

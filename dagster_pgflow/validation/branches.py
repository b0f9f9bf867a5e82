"""A branch has rules that can be told apart, and each of them leads somewhere."""

from collections.abc import Iterator

from dagster_pgflow.errors import Problem
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.step import BranchStep
from dagster_pgflow.validation.rule import KnownFlows


def branches_have_rules(flow: Flow, _known: KnownFlows) -> Iterator[Problem]:
    """Check the rules of each branch; what they ask and where they lead, other rules check."""
    for step in flow.steps:
        if not isinstance(step, BranchStep):
            continue
        if not step.rules:
            yield Problem(
                "branch-without-rules",
                f"steps.{step.slug}.rules",
                f'Branch "{step.slug}" has no rules; add one, which is a condition and the steps'
                " that it leads to, or make it a single step.",
            )
        yield from _of_rules(step)


def _of_rules(step: BranchStep) -> Iterator[Problem]:
    first: dict[str, int] = {}
    for index, rule in enumerate(step.rules):
        path = f"steps.{step.slug}.rules[{index}]"
        if not rule.then:
            yield Problem(
                "rule-without-steps",
                f"{path}.then",
                f"The rule `{rule.when}` leads to no step, so that all it does is to hide the rules"
                " behind it; name a step in then, or leave the rule out: where no rule holds and"
                " there is no default_path, the path ends.",
            )
        if first.setdefault(rule.when, index) != index:
            yield Problem(
                "rule-given-twice",
                f"{path}.when",
                f"rules[{first[rule.when]}] has the same condition `{rule.when}`, so that this one"
                " never decides; put the steps of both into then of the first.",
            )

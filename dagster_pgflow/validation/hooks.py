"""What is called around handlers has names, and what steps require too."""

from collections.abc import Iterator

from dagster_pgflow.errors import Problem
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.steps.hooked import HookedStep
from dagster_pgflow.names import NODE_TYPE_PREFIX
from dagster_pgflow.validation.rule import KnownFlows


def hooks_are_handlers(flow: Flow, _known: KnownFlows) -> Iterator[Problem]:
    """Check the handlers around that of each step, and the resources that it requires."""
    for step in flow.steps:
        if isinstance(step, HookedStep):
            yield from _of_hooks(step)
            for index, name in enumerate(step.requires):
                if not name:
                    yield Problem(
                        "invalid-resource",
                        f"steps.{step.slug}.requires[{index}]",
                        f'Step "{step.slug}" requires a resource without a name; name it, or leave'
                        " it out.",
                    )


def _of_hooks(step: HookedStep) -> Iterator[Problem]:
    for field, names in step.hooks.items():
        path = f"steps.{step.slug}.{field}"
        if names and not step.needs_handler:
            yield Problem(
                "hook-without-handler",
                path,
                f'Step "{step.slug}" has no handler, so nothing can be called {field} it; name'
                f" a handler, or leave {field} out.",
            )
        for index, name in enumerate(names):
            if not name:
                yield Problem(
                    "invalid-handler",
                    f"{path}[{index}]",
                    f'Step "{step.slug}" names a handler without a name in {field}; name one, or'
                    " leave it out.",
                )
            elif name.startswith(NODE_TYPE_PREFIX):
                yield Problem(
                    "hook-is-a-node-type",
                    f"{path}[{index}]",
                    f'Step "{step.slug}" names "{name}" in {field}, which is a node type and takes'
                    " params of its own; let a step do it, or name a handler.",
                )

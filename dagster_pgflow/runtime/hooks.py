"""The handlers that one attempt calls: that of the step, and those before and after it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from dagster_pgflow.model.steps.fields import StepBase
from dagster_pgflow.model.steps.hooked import HookedStep
from dagster_pgflow.runtime.handlers import Handler, HandlerRegistry
from dagster_pgflow.step_errors import UnknownHandler
from dagster_pgflow.step_path import StepPath


def _as_it_is(value: Any) -> Any:
    return value


def _the_output(_given: Any, output: Any) -> Any:
    return output


@dataclass(frozen=True)
class Around:
    """What happens around the call of a step's handler.

    Attributes:
        before: Handlers that each take the input and return the one to go on with.
        after: The same for the output.
        taken: Returns the input as the handler gets it, or raises.
        returned: Returns the output as it is handed on, by what `taken` returned and the output,
            or raises.
    """

    before: tuple[Handler, ...] = ()
    after: tuple[Handler, ...] = ()
    taken: Callable[[Any], Any] = _as_it_is
    returned: Callable[[Any, Any], Any] = _the_output

    @property
    def wants_context(self) -> bool:
        """Whether one of the handlers takes the step context."""
        return any(hook.wants_context for hook in (*self.before, *self.after))


ALONE = Around()
"""Nothing happens around the call."""


def hooks_of(step: StepBase, handlers: HandlerRegistry) -> Around:
    """Return the handlers around that of a step, as far as the code location registers them.

    Args:
        step: The step.
        handlers: The handlers of the code location.
    """
    if not isinstance(step, HookedStep):
        return ALONE
    found = handlers.handlers
    return Around(
        before=tuple(found[name] for name in step.before if name in found),
        after=tuple(found[name] for name in step.after if name in found),
    )


def unknown_hooks(step: StepBase, handlers: HandlerRegistry) -> Iterator[tuple[str, str]]:
    """Yield the handlers around that of a step that are not here, each with its field.

    Args:
        step: The step.
        handlers: The handlers of the code location.
    """
    if isinstance(step, HookedStep):
        for field, names in step.hooks.items():
            yield from ((field, name) for name in names if name not in handlers.handlers)


def refuse_unknown_hooks(step: StepBase, handlers: HandlerRegistry, path: StepPath) -> None:
    """Check that all handlers around that of a step are here.

    Args:
        step: The step.
        handlers: The handlers of the code location.
        path: Where the step stands in the run.

    Raises:
        UnknownHandler: One is not.
    """
    for field, name in unknown_hooks(step, handlers):
        raise UnknownHandler(
            f'Step "{path}" names "{name}" in {field}, and this code location registers no handler'
            " of that name; add a function decorated with @handler under it."
        )

"""What steps with a handler say of what happens around its calls."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Final, Literal, TypedDict

from dagster_pgflow.model.described import Examples
from dagster_pgflow.model.exact import Flag
from dagster_pgflow.model.steps.assets import AssetStep, AssetStepFields
from dagster_pgflow.model.steps.fields import Argument, in_a_tuple

CheckSchemas = Literal["off", "warn", "strict"]


def _names_of(given: Any) -> Any:
    """Return the names of handlers, which may be given themselves, and one without a list."""
    listed = in_a_tuple(given)
    if not isinstance(listed, list | tuple):
        listed = (listed,)
    return tuple(one if isinstance(one, str) else getattr(one, "name", one) for one in listed)


HANDLERS: Final = Argument("a handler or its name, or a list of them", _names_of)
RESOURCES: Final = Argument("the name of a resource, or a list of names", in_a_tuple)


class HookFields(TypedDict, total=False):
    """What a step may say of what happens around the calls of its handler."""

    before: Sequence[Any] | Any
    after: Sequence[Any] | Any
    requires: Sequence[str] | str
    check_schemas: CheckSchemas
    coerce: bool


class HookedFields(AssetStepFields, HookFields, total=False):
    """What a step with a handler may say, its hooks included."""


class HookedStep(AssetStep):
    """A step whose handler is called between others, with values that fit its schemas.

    Attributes:
        before: The names of handlers that each take the input and return the one to go on with.
        after: The same for the output.
        requires: The names of the resources that these handlers use.
        check_schemas: What it means that the input of the handler does not fit the step's input
            schema, or its output the output schema.
        coerce: Whether a number without a fraction is made an integer where a schema wants one.
    """

    examples: ClassVar[Examples] = {
        "before": ["shop.tidy"],
        "after": ["shop.log"],
        "requires": ["database"],
    }

    before: Annotated[tuple[str, ...], HANDLERS] = ()
    after: Annotated[tuple[str, ...], HANDLERS] = ()
    requires: Annotated[tuple[str, ...], RESOURCES] = ()
    check_schemas: CheckSchemas = "off"
    coerce: Flag = False

    @property
    def hooks(self) -> dict[str, tuple[str, ...]]:
        """The handlers around its handler, by the name of the field."""
        return {"before": self.before, "after": self.after}

    def shown_work(self, flow_slug: str, versions: Mapping[str, int]) -> str:
        """Return what it does, and what else is done with its values."""
        return ", ".join([super().shown_work(flow_slug, versions), *self._shown_hooks()])

    def _shown_hooks(self) -> Iterator[str]:
        for name, hooks in self.hooks.items():
            if hooks:
                yield f"{name}: {', '.join(hooks)}"
        if self.requires:
            yield f"requires {', '.join(self.requires)}"
        if self.check_schemas != "off":
            yield f"schemas: {self.check_schemas}"
        if self.coerce:
            yield "coerces integers"

"""What a fragment is: steps that are written once and included in many flows."""

from typing import Any

from pydantic import Field, ValidationError

from dagster_pgflow.errors import InvalidFlow
from dagster_pgflow.model.arguments import Call
from dagster_pgflow.model.fluent import FluentSteps
from dagster_pgflow.model.steps import Step


class Fragment(FluentSteps):
    """Steps that flows take over as their own, with `include`.

    A fragment is a thing of definitions. A flow that included one holds steps like all others; no
    run, table or file knows that there was a fragment.

    Attributes:
        exits: The steps that the steps of a flow may depend on, by the names of the exits.
        entry: The steps that wait for those of the flow; without it those without dependencies.

    Example:
        >>> login = Fragment("login", exits={"in": "greet"}).step("check")
        >>> login = login.step("greet", depends_on="check")
        >>> [step.slug for step in login.steps], login.entries
        (['check', 'greet'], ('check',))
    """

    exits: dict[str, str] = Field(default_factory=dict)
    entry: tuple[str, ...] = ()
    steps: tuple[Step, ...] = ()

    def __init__(self, slug: str, /, **data: Any) -> None:
        """Create a fragment; the keyword arguments are the fields.

        Args:
            slug: The fragment's name; a step without a handler has `<fragment>.<step>`.
            **data: The fields; `entry` may be one slug.

        Raises:
            InvalidFlow: There is no such argument, or it cannot be what it is.
        """
        if isinstance(data.get("entry"), str):
            data["entry"] = (data["entry"],)
        try:
            super().__init__(slug=slug, **data)
        except ValidationError as error:
            problems = Call(str(slug), "Fragment()", "", tuple(type(self).model_fields)).problems_of
            raise InvalidFlow(str(slug), list(problems(error)), "Fragment") from None

    @property
    def entries(self) -> tuple[str, ...]:
        """The steps that come first."""
        return self.entry or tuple(step.slug for step in self.steps if not step.depends_on)

"""Handlers: the Python callables that steps name, and the registry that holds them.

A stored row can only name a handler; what the name means is decided here, by the code location.
"""

import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property, update_wrapper
from importlib.metadata import EntryPoint, entry_points
from inspect import Parameter
from types import ModuleType, SimpleNamespace
from typing import Any, get_type_hints, overload

from pydantic import TypeAdapter

from dagster_pgflow.errors import ConfigurationError
from dagster_pgflow.model.schema import json_schema_of
from dagster_pgflow.model.steps.fields import JsonSchema
from dagster_pgflow.names import NODE_TYPE_PREFIX, is_valid_slug
from dagster_pgflow.node_types.known import NODE_TYPES
from dagster_pgflow.runtime.node_types.built_in import FUNCTIONS
from dagster_pgflow.step_errors import UnknownHandler
from dagster_pgflow.step_path import StepPath

ENTRY_POINT_GROUP = "dagster_pgflow.handlers"
MOST_PARAMETERS = 2
CONTEXT_PARAMETER = "ctx"
_BETWEEN_PARTS = re.compile(r"[./]")
_IN_PARTS = re.compile(r"(?<!^)[-?!*+]")
POSITIONAL = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)


class Handler:
    """A callable `fn(input)` or `fn(input, ctx)`, sync or async, with the name that steps use.

    A second parameter that has a default keeps it, unless it is called `ctx`.

    Attributes:
        name: What a step writes to mean this handler: a slug, `<flow>.<step>`, or a name as
            manifests have them, such as `payment/validate-card`.
        params_type: What the params of its steps are, if it says so: a type for pydantic.
        input_schema: JSON Schema of the input, from the type hint.
        output_schema: JSON Schema of the output, from the type hint.
        wants_context: Whether the callable takes the step context.
    """

    def __init__(self, function: Callable[..., Any], name: str, params: Any = None) -> None:
        parts = _BETWEEN_PARTS.split(name)
        if not all(is_valid_slug(_IN_PARTS.sub("_", part)) for part in parts):
            raise ConfigurationError(
                f'"{name}" is no handler name; write a slug, or "<flow>.<step>".'
            )
        positional = _positional_parameters(function, name)
        self.name = name
        self.function = function
        self.params_type = params
        self.wants_context = len(positional) >= MOST_PARAMETERS and (
            positional[1].default is Parameter.empty or positional[1].name == CONTEXT_PARAMETER
        )
        first = positional[0].name if positional else ""
        hints = _type_hints(function, name, (first, "return"))
        self._input_type = hints.get(first, Any)
        self._output_type = hints.get("return", Any)
        update_wrapper(self, function)

    def replaced_by(self, function: Callable[..., Any]) -> "Handler":
        """Return a handler that calls another function and returns what this one may return."""
        stand_in = Handler(function, self.name)
        if stand_in._output_type is Any:
            stand_in._output_type = self._output_type
        return stand_in

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function as if it were not decorated."""
        return self.function(*args, **kwargs)

    @cached_property
    def input_schema(self) -> JsonSchema | None:
        """JSON Schema of the input, or `None` without a type hint."""
        return json_schema_of(self._input_type)

    @cached_property
    def output_schema(self) -> JsonSchema | None:
        """JSON Schema of the output, or `None` without a type hint."""
        return json_schema_of(self._output_type, "serialization")

    @cached_property
    def input_adapter(self) -> TypeAdapter[Any] | None:
        """What validates the input, or `None` without a type hint."""
        return TypeAdapter(self._input_type) if self.input_schema else None

    @cached_property
    def output_adapter(self) -> TypeAdapter[Any] | None:
        """What validates the output, or `None` without a type hint."""
        return TypeAdapter(self._output_type) if self.output_schema else None

    @cached_property
    def params_adapter(self) -> TypeAdapter[Any] | None:
        """What validates the params, or `None` where any will do."""
        return None if self.params_type is None else TypeAdapter(self.params_type)


@overload
def handler(name: str, *, params: Any = None) -> Callable[[Callable[..., Any]], Handler]: ...
@overload
def handler(name: Callable[..., Any]) -> Handler: ...
def handler(
    name: str | Callable[..., Any], *, params: Any = None
) -> Handler | Callable[[Callable[..., Any]], Handler]:
    """Make a function a handler.

    Args:
        name: The name that steps use: `"<step>"`, or `"<flow>.<step>"` for one flow alone.
            Without a name, the function's own.
        params: What the params of its steps must be, most often a pydantic model. It is what
            `ctx.params` is then; without it that is a dict.

    Example:
        >>> @handler("price")
        ... def price(item: dict) -> int:
        ...     return item["amount"] * 100
        >>> price.name, price({"amount": 2})
        ('price', 200)
    """
    if callable(name):
        return Handler(name, name.__name__)
    return lambda function: Handler(function, name, params)


HandlerSource = Handler | ModuleType | Mapping[str, Callable[..., Any]]


@dataclass(frozen=True)
class HandlerRegistry:
    """The handlers that a code location offers, by name."""

    handlers: Mapping[str, Handler] = field(default_factory=dict)

    @classmethod
    def collect(cls, sources: Iterable[HandlerSource] = ()) -> "HandlerRegistry":
        """Gather handlers from handlers, modules and mappings, and from installed packages.

        The built-in node types are there in any case; a handler with the name of one takes its
        place.

        Args:
            sources: Handlers, modules (every handler in them), or `{name: function}`.

        Installed packages add theirs through the entry point group `dagster_pgflow.handlers`
        (each entry names a module or a handler); what is given here goes before those.

        Raises:
            ConfigurationError: Two different handlers have one name, or one has a name that only a
                built-in node type may have, and there is no such type.
        """
        installed = [point.load() for point in installed_handlers()]
        given = cls._by_name(handler for source in sources for handler in _handlers_in(source))
        found = cls._by_name(handler for source in installed for handler in _handlers_in(source))
        return cls({**found, **given})

    @staticmethod
    def _by_name(handlers: Iterable[Handler]) -> dict[str, Handler]:
        found: dict[str, Handler] = {}
        for candidate in handlers:
            if candidate.name.startswith(NODE_TYPE_PREFIX) and candidate.name not in NODE_TYPES:
                raise ConfigurationError(
                    f'Handler "{candidate.name}", {place_of(candidate)}, has a name that is kept'
                    f' for built-in node types; let it not begin with "{NODE_TYPE_PREFIX}", or name'
                    f" one whose place it takes: {', '.join(NODE_TYPES)}."
                )
            known = found.setdefault(candidate.name, candidate)
            if known.function is not candidate.function:
                raise ConfigurationError(
                    f'Two handlers are called "{candidate.name}": {place_of(known)} and'
                    f" {place_of(candidate)}; rename one."
                )
        return found

    def find(self, flow_slug: str, step_slug: str, named: str | None) -> Handler | None:
        """Return a step's handler: the named one, else `<flow>.<step>`, else `<step>`.

        A node type is only found by its name, not by a flow that is called like what it begins
        with. A handler of this code location goes before the built-in one of its name.
        """
        if named is not None and named.startswith(NODE_TYPE_PREFIX):
            return self.handlers.get(named) or _node_types().get(named)
        names = names_of(flow_slug, step_slug, named)
        return next((self.handlers[name] for name in names if name in self.handlers), None)

    @staticmethod
    def node_types() -> Mapping[str, Handler]:
        """The built-in node types by name."""
        return _node_types()

    def unknown(
        self, flow_slug: str, step_slug: str, named: str | None, path: StepPath
    ) -> UnknownHandler:
        """Return what to say of a step whose handler is not here.

        Args:
            flow_slug: Its flow.
            step_slug: The step.
            named: The handler that it names.
            path: Where it stands in the run.
        """
        names = " or ".join(f'"{name}"' for name in names_of(flow_slug, step_slug, named))
        return UnknownHandler(
            f'Step "{path}" has no handler: this code location registers none called'
            f" {names}; add a function decorated with @handler under that name."
        )


@cache
def installed_handlers() -> tuple[EntryPoint, ...]:
    """Return what installed packages say of their handlers.

    To find it, Python reads a file of each package that is installed. Once is enough: what a
    process has imported of a package stays as it was when another is installed.
    """
    return tuple(entry_points(group=ENTRY_POINT_GROUP))


@cache
def _node_types() -> Mapping[str, Handler]:
    return {name: Handler(does, name, NODE_TYPES[name]) for name, does in FUNCTIONS.items()}


def names_of(flow_slug: str, step_slug: str, named: str | None) -> list[str]:
    """Return the names under which a step's handler is looked for."""
    names = [named] if named else [f"{flow_slug}.{step_slug}", step_slug]
    return [name for name in names if named or not name.startswith(NODE_TYPE_PREFIX)]


def _handlers_in(source: HandlerSource) -> Iterator[Handler]:
    match source:
        case Handler():
            yield source
        case ModuleType():
            yield from (value for value in vars(source).values() if isinstance(value, Handler))
        case Mapping():
            for name, function in source.items():
                if isinstance(function, Handler):
                    yield Handler(function.function, name, function.params_type)
                else:
                    yield Handler(function, name)
        case _:
            raise ConfigurationError(
                f"{source!r} holds no handlers; give functions decorated with @handler, modules"
                " that hold them, or a dict of name to function."
            )


def _positional_parameters(function: Callable[..., Any], name: str) -> list[Parameter]:
    """Return the parameters that positional arguments fill, without those of `*args`.

    Raises:
        ConfigurationError: The function cannot be called as fn(input) or fn(input, ctx).
    """
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        raise ConfigurationError(
            f'Handler "{name}" is {function!r}, whose parameters cannot be read; write a function.'
        ) from None
    parameters = signature.parameters.values()
    positional = [p for p in parameters if p.kind in POSITIONAL]
    takes_input = positional or any(p.kind is p.VAR_POSITIONAL for p in parameters)
    required = [p for p in positional if p.default is p.empty]
    by_name = [p for p in parameters if p.kind is p.KEYWORD_ONLY and p.default is p.empty]
    if not takes_input or len(required) > MOST_PARAMETERS or by_name:
        raise ConfigurationError(
            f'Handler "{name}" has the parameters {signature}; write it as fn(input) or'
            " fn(input, ctx)."
        )
    return positional


def _type_hints(function: Callable[..., Any], name: str, wanted: Iterable[str]) -> dict[str, Any]:
    """Return some of the type hints; others may name what exists for type checkers alone."""
    plain = inspect.unwrap(function)
    raw = getattr(plain, "__annotations__", {})
    hints = SimpleNamespace(__annotations__={key: raw[key] for key in wanted if key in raw})
    try:
        return get_type_hints(hints, getattr(plain, "__globals__", {}), include_extras=True)
    except NameError as error:
        raise ConfigurationError(
            f'The type hints of handler "{name}" cannot be read: {error}; import it where the'
            " handler's module is run, not for type checkers alone."
        ) from None


def place_of(found: Handler) -> str:
    """Return where the function of a handler is: its module and name."""
    function = inspect.unwrap(found.function)
    return f"{function.__module__}.{getattr(function, '__qualname__', repr(function))}"

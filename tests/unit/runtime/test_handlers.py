"""Handlers and their registry."""

import functools
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import BaseModel

from dagster_pgflow.errors import ConfigurationError
from dagster_pgflow.runtime import handlers
from dagster_pgflow.runtime.context import StepContext
from dagster_pgflow.runtime.handlers import Handler, HandlerRegistry, handler
from tests.unit.runtime import awkward_handlers


class Item(BaseModel):
    name: str


def one(value: Any) -> Any:
    return value


def two(value: Any, ctx: StepContext) -> Any:
    return value


def with_default(value: Any, digits: int = 2) -> Any:
    return value, digits


def with_optional_context(value: Any, ctx: StepContext | None = None) -> Any:
    return value


def anything(*values: Any, **names: Any) -> Any:
    return values


def optional_name(value: Any, *, digits: int = 2) -> Any:
    return value


class Callable1:
    def __call__(self, value: Any) -> Any:
        return value

    def method(self, value: Any, ctx: Any) -> Any:
        return value, ctx


@pytest.mark.parametrize(
    ("function", "wants_context"),
    [
        (one, False),
        (two, True),
        (with_default, False),
        (with_optional_context, True),
        (anything, False),
        (optional_name, False),
        (lambda value: value, False),
        (lambda value, context: (value, context), True),
        (Callable1(), False),
        (Callable1().method, True),
        (functools.partial(with_default, digits=1), False),
        (round, False),
        (len, False),
    ],
)
def test_a_plain_callable_of_one_or_two_arguments_is_a_handler(
    function: Callable[..., Any], wants_context: bool
) -> None:
    assert Handler(function, "h").wants_context is wants_context


def no_parameters() -> None: ...
def three(one: Any, two: Any, three: Any) -> None: ...
def needs_a_name(value: Any, *, digits: int) -> None: ...
def only_names(**names: Any) -> None: ...


@pytest.mark.parametrize("function", [no_parameters, three, needs_a_name, only_names])
def test_another_signature_is_refused_with_the_two_that_work(function: Any) -> None:
    with pytest.raises(ConfigurationError, match=r'Handler "h" has the parameters .* fn\(input\)'):
        Handler(function, "h")


@pytest.mark.parametrize("function", [5, "print", None])
def test_what_cannot_be_called_is_refused(function: Any) -> None:
    with pytest.raises(ConfigurationError, match=r'Handler "h" is .*; write a function'):
        HandlerRegistry.collect([{"h": function}])


@pytest.mark.parametrize(
    "name", ["", "a b", "a.", ".a", "a..b", "run", "order.run", "é", "2nd", "a/", "-a", "a/-b", "?"]
)
def test_a_name_is_a_slug_or_some_with_dots_between(name: str) -> None:
    with pytest.raises(ConfigurationError, match="is no handler name"):
        Handler(one, name)


@pytest.mark.parametrize("name", ["payment/validate-card", "auth/admin?", "a.b/c!", "a-b"])
def test_a_name_may_be_that_of_a_cell_of_a_manifest(name: str) -> None:
    assert handler(name)(one).name == name


def test_the_decorator_takes_a_name_or_uses_the_functions_own() -> None:
    assert handler("order.price")(one).name == "order.price"
    assert handler(one).name == "one"


def test_a_decorated_function_can_still_be_called_and_read() -> None:
    @handler("price")
    def price(value: int) -> int:
        """Price it."""
        return value * 2

    assert price(4) == 8
    assert price.__doc__ == "Price it."


def test_a_lambda_needs_a_name() -> None:
    with pytest.raises(ConfigurationError, match='"<lambda>" is no handler name'):
        handler(lambda value: value)
    assert handler("named")(lambda value: value).name == "named"


def test_hints_become_schemas() -> None:
    def find(items: list[Item], ctx: StepContext) -> int | None:
        return len(items)

    found = Handler(find, "find")
    assert found.input_schema == {
        "type": "array",
        "items": {"$ref": "#/$defs/Item"},
        "$defs": {"Item": Item.model_json_schema()},
    }
    assert found.output_schema == {"anyOf": [{"type": "integer"}, {"type": "null"}]}


def test_without_hints_nothing_is_checked() -> None:
    found = Handler(lambda value: value, "h")
    assert (found.input_schema, found.output_schema) == (None, None)
    assert (found.input_adapter, found.output_adapter) == (None, None)


def test_hints_that_are_text_are_read_and_those_for_type_checkers_are_let_be() -> None:
    found = awkward_handlers.first
    assert found.wants_context
    assert found.output_schema == awkward_handlers.Item.model_json_schema()


def test_a_hint_that_cannot_be_read_is_refused_with_its_name() -> None:
    with pytest.raises(ConfigurationError, match=r"type hints of handler \"h\".*'Missing'"):
        Handler(awkward_handlers.unreadable, "h")


def test_the_hints_of_a_decorated_function_are_those_of_the_function_inside() -> None:
    @functools.wraps(awkward_handlers.first.function)
    def logged(*args: Any) -> Any:
        return awkward_handlers.first(*args)

    found = Handler(logged, "h")
    assert found.wants_context
    assert found.output_schema == awkward_handlers.Item.model_json_schema()


def registry(*sources: Any) -> HandlerRegistry:
    return HandlerRegistry.collect(sources)


def test_handlers_come_from_handlers_modules_and_dicts() -> None:
    found = registry(handler("a")(one), awkward_handlers, {"b": two, "order.c": handler("x")(one)})
    assert sorted(found.handlers) == ["a", "b", "first", "order.c"]


def test_one_handler_may_be_given_twice() -> None:
    given = handler("a")(one)
    assert list(
        registry(given, given, {"a": one}, awkward_handlers, awkward_handlers).handlers
    ) == [
        "a",
        "first",
    ]


@pytest.mark.parametrize(
    "other", [two, lambda value: value, functools.partial(with_default, digits=1)]
)
def test_two_handlers_of_one_name_are_refused_with_both_places(other: Callable[..., Any]) -> None:
    with pytest.raises(ConfigurationError, match=r'Two handlers are called "a".*\.one.*rename one'):
        registry({"a": one}, {"a": other})


@pytest.mark.parametrize("source", [one, 5, "module", [one]])
def test_what_holds_no_handlers_is_refused(source: Any) -> None:
    with pytest.raises(ConfigurationError, match="holds no handlers; give functions decorated"):
        registry(source)


def test_a_step_finds_its_handler_by_name_then_flow_and_step_then_step() -> None:
    found = registry({"order.price": one, "price": two, "other": with_default})
    functions = [
        found.find("order", "price", None),
        found.find("cart", "price", None),
        found.find("order", "price", "other"),
    ]
    assert [f and f.function for f in functions] == [one, two, with_default]


def test_a_named_handler_that_is_missing_is_not_replaced_by_another() -> None:
    found = registry({"order.price": one, "price": two})
    assert found.find("order", "price", "missing") is None
    assert found.find("order", "ship", None) is None


@pytest.fixture
def found_anew() -> Iterator[None]:
    """Whatever this process has found of installed packages is forgotten, before and after."""
    handlers.installed_handlers.cache_clear()
    yield
    handlers.installed_handlers.cache_clear()


def test_installed_packages_are_looked_through_once(
    monkeypatch: pytest.MonkeyPatch, found_anew: None
) -> None:
    looked: list[str] = []

    def look(group: str) -> list[Any]:
        looked.append(group)
        return []

    monkeypatch.setattr(handlers, "entry_points", look)
    registry({"a": one})
    registry({"b": two})
    assert looked == [handlers.ENTRY_POINT_GROUP]


def test_installed_packages_add_handlers_and_given_ones_go_first(
    monkeypatch: pytest.MonkeyPatch,
    found_anew: None,
) -> None:
    points = [
        SimpleNamespace(load=lambda: awkward_handlers),
        SimpleNamespace(load=lambda: handler("a")(two)),
    ]
    monkeypatch.setattr(
        handlers, "entry_points", lambda group: points if "dagster_pgflow" in group else []
    )
    found = registry({"a": one})
    assert found.handlers["a"].function is one
    assert found.handlers["first"] is awkward_handlers.first


def test_a_handler_with_the_name_of_a_built_in_type_takes_its_place() -> None:
    own = HandlerRegistry.collect([{"pgflow.filter": one}])
    found = own.find("f", "s", "pgflow.filter")
    assert found is not None
    assert found.function is one
    built_in = own.find("f", "s", "pgflow.transform")
    assert built_in is not None
    assert built_in == HandlerRegistry().find("f", "s", "pgflow.transform")


def test_no_other_name_of_a_handler_begins_like_those_of_built_in_types() -> None:
    with pytest.raises(
        ConfigurationError, match=r"kept for built-in node types.*pgflow\.transform"
    ):
        HandlerRegistry.collect([{"pgflow.mine": one}])

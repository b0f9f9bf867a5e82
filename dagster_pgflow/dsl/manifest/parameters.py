"""What the parameters of a predicate name: `[d]`, `[_]`, or keys that are taken out of the map."""

from collections.abc import Iterator, Mapping
from typing import TypeAlias

from dagster_pgflow.dsl.manifest.cel_terms import Constant, Lookup, Term, with_default
from dagster_pgflow.dsl.manifest.data_keys import data_key
from dagster_pgflow.dsl.manifest.forms import (
    Atom,
    Form,
    FormRefused,
    Keyword,
    MapForm,
    Symbol,
    VectorForm,
    json_of,
    name_of,
    shown,
)

Scope: TypeAlias = Mapping[str, Term]
"""What each name of a function stands for."""


def scope_of(parameters: VectorForm) -> Scope:
    """Return what the names in the parameters of a function stand for.

    >>> keys = MapForm(((Keyword("keys"), VectorForm((Symbol("paid"),))),))
    >>> scope_of(VectorForm((keys,)))
    {'paid': Lookup(keys=('paid',))}

    Raises:
        FormRefused: It is not one parameter, or is split in a way that is not understood.
    """
    match parameters.items:
        case [Symbol(name=name)]:
            return {name: Lookup()}
        case [MapForm() as taken]:
            return _names_in(taken)
        case _:
            message = f"{shown(parameters)} is not the data map; write [d] or [{{:keys [a b]}}]."
            raise FormRefused(parameters, message, "wrong-predicate")


def _names_in(taken: MapForm) -> Scope:
    scope: dict[str, Term] = {}
    for key, value in taken.items:
        match key, value:
            case (Keyword(name="keys" | "strs" as kind), VectorForm(items=names)):
                scope |= {_local(name): Lookup((_key(name, kind),)) for name in names}
            case (Keyword(name="as"), Symbol(name=local)):
                scope[local] = Lookup()
            case (Keyword(name="or"), MapForm()):
                pass
            case (Symbol(name=local), Keyword(name=wanted)):
                scope[local] = Lookup((data_key(wanted),))
            case (Symbol(name=local), Atom(value=str(wanted))):
                scope[local] = Lookup((wanted,))
            case _:
                message = f"{shown(key)} {shown(value)} is not understood; write {{:keys [a b]}}."
                raise FormRefused(key, message, "wrong-predicate")
    for name, default in _defaults(taken):
        found = scope.get(name)
        if isinstance(found, Lookup):
            scope[name] = with_default(found, default)
    return scope


def _defaults(taken: MapForm) -> Iterator[tuple[str, Term]]:
    for key, value in taken.items:
        if isinstance(value, MapForm) and key == Keyword("or"):
            yield from (
                (_written(name), Constant(json_of(default))) for name, default in value.items
            )


def _local(form: Form) -> str:
    return _written(form).rpartition("/")[2]


def _key(form: Form, kind: str) -> str:
    name = _written(form)
    return data_key(name) if kind == "keys" else name


def _written(form: Form) -> str:
    name = form.name if isinstance(form, Symbol) else name_of(form)
    if name is None:
        message = f"{shown(form)} is no name; write a symbol."
        raise FormRefused(form, message, "wrong-predicate")
    return name

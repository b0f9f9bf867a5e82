"""Predicates of manifests as conditions in CEL over `data`, with Clojure's answers.

A closed set of forms is understood, and nothing is ever evaluated: what is outside of the set is
refused with its place and what may stand there.

Where JSON has less than Clojure, JSON decides: a keyword is the text of its name, and `1` equals
`1.0`. Where Clojure throws, as at `(< nil 1)`, the condition has no answer either.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from math import isfinite
from typing import Any, Final, TypeAlias

from dagster_pgflow.dsl.manifest.cel_terms import (
    Answer,
    Choice,
    Constant,
    Lookup,
    Term,
    equal,
    every,
    has_key,
    holds_something,
    is_list_of,
    is_object,
    is_one_of,
    is_something,
    negated,
    ordered,
    with_default,
)
from dagster_pgflow.dsl.manifest.data_keys import data_key
from dagster_pgflow.dsl.manifest.forms import (
    Atom,
    Cel,
    Form,
    FormRefused,
    Keyword,
    ListForm,
    MapForm,
    SetForm,
    Symbol,
    VectorForm,
    shown,
)
from dagster_pgflow.dsl.manifest.parameters import Scope, scope_of
from dagster_pgflow.errors import InvalidExpression
from dagster_pgflow.expressions.cel import DATA_ROOT, expression
from dagster_pgflow.validation.types.json_type import nearest

MOST_CHARACTERS: Final = 20_000
"""How long the condition of one predicate may be."""

MOST_PLACES: Final = 20
"""How many keys one path may have."""

ANYTHING: Final = "_"
_SMALLEST, _LARGEST = -(2**63), 2**63 - 1


def predicate(form: Form) -> str:
    """Return a predicate as a condition in CEL over `data`.

    >>> from dagster_pgflow.dsl.manifest.forms import ListForm, Symbol, VectorForm
    >>> look_up = ListForm((Keyword("paid"), Symbol("d")))
    >>> predicate(ListForm((Symbol("fn"), VectorForm((Symbol("d"),)), look_up)))
    '(has(data.paid) && !(data.paid in [null, false]))'

    Raises:
        FormRefused: It is none of those that are understood, or grows too long.
    """
    return _bounded(_condition(form), form)


def _condition(form: Form) -> str:  # noqa: PLR0911 - one way to write a predicate a case
    match form:
        case Cel(text=text) | Atom(value=str(text)):
            return _checked(text, form)
        case Atom(value=bool()):
            return Constant(form.value).truth
        case Symbol(name="_" | "'_"):
            return Constant(value=True).truth
        case Keyword():
            return Lookup((_key(form),)).truth
        case MapForm():
            return every(list(_matches(Lookup(), form)))
        case ListForm(items=(Symbol(name="constantly"), value)):
            return Constant(_constant(value)).truth
        case ListForm(items=(Symbol(name="fn"), VectorForm() as parameters, body)):
            return _term(body, scope_of(parameters)).truth
        case ListForm(items=(Symbol(name="fn"), *_)):
            raise _refused(form, "write (fn [d] ...) with one form in it")
        case _:
            raise _refused(form, _whole_meant(form))


def _checked(text: str, form: Form) -> str:
    try:
        expression(text, frozenset({DATA_ROOT}))
    except InvalidExpression as error:
        raise FormRefused(form, str(error), "invalid-expression") from error
    return text


def _matches(found: Lookup, pattern: Form) -> Iterator[str]:
    """Yield what must hold for what stands at a path to match a pattern."""
    match pattern:
        case Symbol(name=name) if name == ANYTHING:
            yield f"({found.guard})"
        case MapForm(items=items):
            yield is_object(found)
            for key, inner in items:
                yield from _matches(_deeper(found, (key,), key), inner)
        case VectorForm(items=parts):
            yield is_list_of(found, len(parts))
            for place, inner in enumerate(parts):
                yield from _matches(Lookup((*found.keys, place)), inner)
        case _:
            yield equal(found, Constant(_constant(pattern)))


def _term(form: Form, scope: Scope) -> Term:
    match form:
        case Symbol(name=name):
            if name not in scope:
                raise _refused(form, f"the names here are: {', '.join(scope) or 'none'}")
            return scope[name]
        case ListForm(items=(Keyword() as key, *rest)):
            return _get((*rest[:1], key, *rest[1:]), scope, form)
        case ListForm(items=(Symbol(name=name), *rest)) if name in _CALLS:
            found = _CALLS[name](rest, scope, form)
            if isinstance(found, Answer):
                _bounded(found.text, form)
            return found
        case Atom() | Keyword() | VectorForm() | MapForm():
            return Constant(_constant(form))
        case _:
            raise _refused(form, _call_meant(form))


def _value(form: Form, scope: Scope) -> Term:
    """Return a term whose value counts, not only whether it holds."""
    if _only_holds(form):
        raise _refused(form, "seq only says here whether there is something; write it by itself")
    return _term(form, scope)


def _only_holds(form: Form) -> bool:
    match form:
        case ListForm(items=(Symbol(name="seq"), *_)):
            return True
        case ListForm(items=(Symbol(name="and" | "or"), *parts)):
            return any(map(_only_holds, parts))
        case _:
            return False


def _get(rest: Sequence[Form], scope: Scope, form: Form) -> Term:
    match rest:
        case [where, key]:
            return _inside(where, (key,), scope)
        case [where, key, default]:
            return with_default(_inside(where, (key,), scope), _value(default, scope))
        case _:
            raise _refused(form, "write (:key d)")


def _get_in(rest: Sequence[Form], scope: Scope, form: Form) -> Term:
    match rest:
        case [where, VectorForm(items=keys)]:
            return _inside(where, keys, scope)
        case [where, VectorForm(items=keys), default]:
            return with_default(_inside(where, keys, scope), _value(default, scope))
        case _:
            raise _refused(form, "write (get-in d [:outer :inner])")


def _inside(where: Form, keys: Sequence[Form], scope: Scope) -> Lookup:
    outer = _term(where, scope)
    if not isinstance(outer, Lookup):
        raise _refused(where, "keys are looked up in the data map only")
    return _deeper(outer, keys, where)


def _deeper(outer: Lookup, keys: Sequence[Form], form: Form) -> Lookup:
    path = (*outer.keys, *map(_key_or_place, keys))
    if len(path) > MOST_PLACES:
        raise _refused(form, f"a path has at most {MOST_PLACES} keys, and this one {len(path)}")
    return Lookup(path)


def _key_or_place(form: Form) -> str | int:
    match form:
        case Atom(value=int(place)) if not isinstance(place, bool) and 0 <= place <= _LARGEST:
            return place
        case _:
            return _key(form)


def _key(form: Form) -> str:
    match form:
        case Keyword(name=name):
            return data_key(_readable(name, form))
        case Atom(value=str(text)):
            return _readable(text, form)
        case _:
            raise _refused(form, "a key is a keyword or a text, and in a list a number from 0 on")


def _equal(rest: Sequence[Form], scope: Scope, form: Form) -> Term:
    terms = [_value(part, scope) for part in _at_least(1, rest, form)]
    return Answer(every([equal(left, right) for left, right in pairwise(terms)]))


def _not_equal(rest: Sequence[Form], scope: Scope, form: Form) -> Term:
    return Answer(negated(_equal(rest, scope, form).truth))


def _not(rest: Sequence[Form], scope: Scope, form: Form) -> Term:
    return Answer(negated(_term(_only(rest, form), scope).truth))


def _some(rest: Sequence[Form], scope: Scope, form: Form) -> Term:
    return Answer(is_something(_value(_only(rest, form), scope)))


def _nil(rest: Sequence[Form], scope: Scope, form: Form) -> Term:
    return Answer(negated(is_something(_value(_only(rest, form), scope))))


def _seq(rest: Sequence[Form], scope: Scope, form: Form) -> Term:
    return Answer(holds_something(_value(_only(rest, form), scope)))


def _empty(rest: Sequence[Form], scope: Scope, form: Form) -> Term:
    return Answer(negated(holds_something(_value(_only(rest, form), scope))))


def _choice(*, holds: bool) -> "_Call":
    def call(rest: Sequence[Form], scope: Scope, _form: Form) -> Term:
        terms = tuple(_term(part, scope) for part in rest)
        return Choice(terms, holds) if terms else Constant(None if holds else True)

    return call


def _ordered(sign: str) -> "_Call":
    def call(rest: Sequence[Form], scope: Scope, form: Form) -> Term:
        return Answer(ordered(sign, [_value(part, scope) for part in _at_least(1, rest, form)]))

    return call


def _contains(rest: Sequence[Form], scope: Scope, form: Form) -> Term:
    match rest:
        case [SetForm(items=items), value]:
            return Answer(is_one_of(list(map(_constant, items)), _value(value, scope)))
        case [where, Keyword() | Atom(value=str()) as key]:
            return Answer(has_key(_value(where, scope), _key(key)))
        case _:
            raise _refused(form, "write (contains? #{:a :b} (:k d)), or (contains? d :k)")


def _only(rest: Sequence[Form], form: Form) -> Form:
    if len(rest) != 1:
        raise _refused(form, f"it takes one argument, and has {len(rest)}")
    return rest[0]


def _at_least(least: int, rest: Sequence[Form], form: Form) -> Sequence[Form]:
    if len(rest) < least:
        raise _refused(form, f"it takes {least} or more arguments, and has {len(rest)}")
    return rest


def _constant(form: Form) -> Any:
    """Return the JSON of a form that is written down: no symbol, no call, nothing without end."""
    match form:
        case Atom(value=int(number)) if not _SMALLEST <= number <= _LARGEST:
            raise _refused(form, "integers have at most 64 bits")
        case Atom(value=float(number)) if not isfinite(number):
            raise _refused(form, "JSON has no such number")
        case Atom(value=str(text)) | Keyword(name=text):
            return _readable(text, form)
        case VectorForm(items=items):
            return list(map(_constant, items))
        case MapForm(items=pairs):
            return {_key(key): _constant(value) for key, value in pairs}
        case Atom(value=value):
            return value
        case _:
            raise _refused(form, "a value stands here, such as 5, true, :keyword or a text")


def _readable(text: str, form: Form) -> str:
    if "\0" in text or any("\ud800" <= letter <= "\udfff" for letter in text):
        raise _refused(form, "it is not Unicode text that can be stored")
    return text


def _bounded(text: str, form: Form) -> str:
    if len(text) > MOST_CHARACTERS:
        raise _refused(form, f"it grows beyond {MOST_CHARACTERS} characters")
    return text


def _refused(form: Form, instead: str) -> FormRefused:
    return FormRefused(form, f"{shown(form)} is not understood here: {instead}.", "wrong-predicate")


_Call: TypeAlias = Callable[[Sequence[Form], Scope, Form], Term]
_CALLS: Final[Mapping[str, _Call]] = {
    "get": _get,
    "get-in": _get_in,
    "=": _equal,
    "not=": _not_equal,
    "not": _not,
    "and": _choice(holds=False),
    "or": _choice(holds=True),
    "some?": _some,
    "nil?": _nil,
    "empty?": _empty,
    "seq": _seq,
    "contains?": _contains,
    **{sign: _ordered(sign) for sign in ("<", ">", "<=", ">=")},
}
_WHOLE: Final = ("fn", "constantly")


def _whole_meant(form: Form) -> str:
    """Return what to write in place of a form that is no predicate."""
    match form:
        case ListForm(items=(Keyword(), *_)):
            return "write (fn [d] ...) around it"
        case ListForm(items=(Symbol(name=name), *_)) if name in _CALLS:
            return "write (fn [d] ...) around it"
        case ListForm(items=(Symbol(name=name), *_)) if meant := nearest(name, _WHOLE):
            return f"{meant} may be meant"
        case _:
            return "write (fn [d] ...), (constantly true), a keyword, or a pattern {:k v}"


def _call_meant(form: Form) -> str:
    """Return what to write in place of a form that has no value."""
    match form:
        case ListForm(items=(Symbol(name=name), *_)) if meant := nearest(name, list(_CALLS)):
            return f"{meant} may be meant"
        case _:
            return f"write (:k d), or a call of {', '.join(_CALLS)}"

"""EDN text as forms, read by `edn_format`: its lexer, its grammar, and actions that keep places.

The library's own actions forget where a form stands, which of two equal keys was there, and what
was a list and what a vector. So its grammar runs with the actions of `_Actions`, which build forms.
"""

from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Final, TypeVar

import edn_format.edn_lex as library_lexer
import edn_format.edn_parse as library_grammar
import ply.yacc
from edn_format.exceptions import EDNDecodeError

from dagster_pgflow.dsl.manifest.edn_tokens import EdnTokens
from dagster_pgflow.dsl.manifest.forms import (
    At,
    Atom,
    Cel,
    Form,
    Keyword,
    ListForm,
    MapForm,
    SetForm,
    VectorForm,
    shown,
)
from dagster_pgflow.dsl.reading.unreadable import Unreadable

CEL_TAG: Final = "pgflow/cel"
"""The tag of a text that is an expression in CEL."""


Action = TypeVar("Action", bound=Callable[..., None])


def read_edn(text: str, file: str = "") -> list[Form]:
    """Return the forms of an EDN text.

    Args:
        file: What its places call the file.

    Raises:
        Unreadable: It is no EDN, says what no manifest can, or is out of bounds.
    """
    # The library knows one kind of line break; every place stays what it was.
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    tokens = EdnTokens(text, file)
    try:
        return list(_parser().parse(lexer=tokens))
    except EDNDecodeError:
        raise tokens.unexpected() from None


def _grammar_of(action: Action) -> Action:
    """Give an action the rule of grammar that the library's action of the same name has."""
    action.__doc__ = getattr(library_grammar, action.__name__).__doc__
    return action


class _Actions:
    """What the rules of the library's grammar make; in the order in which they stand there."""

    tokens = library_lexer.tokens
    start = library_grammar.start

    @_grammar_of
    def p_term_leaf(self, p: Any) -> None:
        p[0] = p[1]

    @_grammar_of
    def p_vector(self, p: Any) -> None:
        p[0] = VectorForm(tuple(p[2]), _at(p[1]))

    @_grammar_of
    def p_list(self, p: Any) -> None:
        p[0] = ListForm(tuple(p[2]), _at(p[1]))

    @_grammar_of
    def p_set(self, p: Any) -> None:
        again = _again(p[2])
        if again is not None:
            message = f"{shown(again)} stands twice in this set; remove one."
            raise Unreadable(str(again.at), message)
        p[0] = SetForm(tuple(p[2]), _at(p[1]))

    @_grammar_of
    def p_simple_map(self, p: Any) -> None:
        forms = list(p[2])
        at = _at(p[1])
        if len(forms) % 2:
            message = f"This map has {shown(forms[-1])} without a value behind it; add it."
            raise Unreadable(str(at), message)
        p[0] = MapForm(_pairs(list(zip(forms[::2], forms[1::2], strict=True))), at)

    @_grammar_of
    def p_map(self, p: Any) -> None:
        p[0] = p[1]

    @_grammar_of
    def p_map_with_namespace_tag(self, p: Any) -> None:
        namespace = p[1][2]
        items = [(_in_namespace(namespace, key), value) for key, value in p[2].items]
        p[0] = MapForm(_pairs(items), p[2].at)

    @_grammar_of
    def p_discarded_expressions(self, p: Any) -> None:
        p[0] = deque()

    @_grammar_of
    def p_expressions_expression_expressions(self, p: Any) -> None:
        p[2].appendleft(p[1])
        p[0] = p[2]

    @_grammar_of
    def p_expressions_empty(self, p: Any) -> None:
        p[0] = p[1]

    @_grammar_of
    def p_expression(self, p: Any) -> None:
        p[0] = p[1]

    @_grammar_of
    def p_expression_discard_expression_expression(self, p: Any) -> None:
        p[0] = p[3]

    @_grammar_of
    def p_expression_tagged_element(self, p: Any) -> None:
        tag, form, at = p[1][2], p[2], _at(p[1])
        if tag != CEL_TAG:
            message = f'The tag #{tag[:20]} means nothing here; only #{CEL_TAG} "…" does.'
            raise Unreadable(str(at), message)
        match form:
            case Atom(value=str(text)):
                p[0] = Cel(text, at)
            case _:
                message = f"#{CEL_TAG} stands before a text in CEL; got {shown(form)}."
                raise Unreadable(str(at), message)

    @_grammar_of
    def p_expression_metadata(self, p: Any) -> None:
        # What it says about the form behind it is for a reader of Clojure.
        p[0] = p[3]

    def p_error(self, p: Any) -> None:
        """Refuse what the grammar does not know."""
        raise EDNDecodeError(p)


def _parser() -> Any:
    """Return a parser of the library's grammar, whose tables come with it."""
    return ply.yacc.yacc(
        module=_Actions(),
        tabmodule=f"{library_grammar.__package__}.parsetab",
        write_tables=False,
        debug=False,
        errorlog=ply.yacc.NullLogger(),
    )


def _at(opened: tuple[EdnTokens, int, Any]) -> At:
    tokens, offset, _ = opened
    return tokens.at(offset)


def _pairs(items: list[tuple[Form, Form]]) -> tuple[tuple[Form, Form], ...]:
    again = _again(key for key, _ in items)
    if again is not None:
        message = f"The key {shown(again)} appears twice; remove or rename one."
        raise Unreadable(str(again.at), message)
    return tuple(items)


def _again(forms: Iterable[Form]) -> Form | None:
    """Return a form that was there before; 1 and true are not the same."""
    seen: set[tuple[Form, type]] = set()
    for form in forms:
        one = (form, type(form.value) if isinstance(form, Atom) else type(form))
        if one in seen:
            return form
        seen.add(one)
    return None


def _in_namespace(namespace: str, key: Form) -> Form:
    if not isinstance(key, Keyword):
        return key
    if key.name.startswith("_/"):
        return Keyword(key.name.removeprefix("_/"), key.at)
    return key if "/" in key.name else Keyword(f"{namespace}/{key.name}", key.at)

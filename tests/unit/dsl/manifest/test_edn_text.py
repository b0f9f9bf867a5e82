import edn_format.edn_parse as library_grammar
import pytest

from dagster_pgflow.dsl.manifest import edn_text
from dagster_pgflow.dsl.manifest.edn_text import read_edn
from dagster_pgflow.dsl.manifest.forms import (
    Atom,
    Cel,
    Form,
    Keyword,
    ListForm,
    MapForm,
    SetForm,
    Symbol,
    VectorForm,
)
from dagster_pgflow.dsl.reading.unreadable import Unreadable

A, B = Keyword("a"), Keyword("b")

UNDERSTOOD: list[tuple[str, list[Form]]] = [
    ("", []),
    ("; only a comment", []),
    ("\ufeff:a", [A]),
    ("nil true false", [Atom(None), Atom(value=True), Atom(value=False)]),
    ("1 -2 +3 4N 0x1F 1.5 2e3 1.5M", [Atom(n) for n in (1, -2, 3, 4, 31, 1.5, 2e3, 1.5)]),
    (r'"a\n\"\\ \u00e9 \ud83d\ude00"', [Atom('a\n"\\ é 😀')]),
    (":ui/show :a.b/c-d? :a:b", [Keyword("ui/show"), Keyword("a.b/c-d?"), Keyword("a:b")]),
    ("fn = / - clojure.core/not=", [Symbol(n) for n in ("fn", "=", "/", "-", "clojure.core/not=")]),
    ("[:a] (:a) #{:a :b}", [VectorForm((A,)), ListForm((A,)), SetForm((A, B))]),
    ("{:a 1, :b {:a []}}", [MapForm(((A, Atom(1)), (B, MapForm(((A, VectorForm(())),)))))]),
    ("#_ :x :a #_ [1] :b #_ 2", [A, B]),
    ("#_ #_ 1 2 3", [Atom(3)]),
    ("#:shop{:a 1 :_/b 2 :c/d 3}", [
        MapForm((
            (Keyword("shop/a"), Atom(1)), (Keyword("b"), Atom(2)), (Keyword("c/d"), Atom(3)),
        ))
    ]),
    ("^{:doc 1} [:a]", [VectorForm((A,))]),
    ('#pgflow/cel "data.n > 1"', [Cel("data.n > 1")]),
    (":a\r\n:b\r;c\r\n", [A, B]),
    ("[" * 100 + "]" * 100, [VectorForm(())]),
]  # fmt: skip

REFUSED = [
    ("[1\n 2", "line 1, column 1", "`[` is never closed; add `]`"),
    ("{:a (1 2}", "line 1, column 9", "`}` cannot close the `(` of line 1, column 5; write `)`"),
    (":a)", "line 1, column 3", "`)` closes nothing; remove it"),
    ("{:a 1\n :b}", "line 1, column 1", ":b without a value"),
    ("{:a 1\r\n :a 2}", "line 2, column 2", "The key :a appears twice"),
    ("#:x{:a 1 :x/a 2}", "line 1, column 10", "The key :x/a appears twice"),
    ("#{1 :a 1}", "line 1, column 8", "1 stands twice in this set"),
    ("[:a #_]", "line 1, column 7", "something is missing before it"),
    ("#_", "line 1, column 1", "something is missing behind this"),
    ("#pgflow/cel", "line 1, column 1", "something is missing behind this"),
    ("[#pgflow/cel 5]", "line 1, column 2", "stands before a text in CEL; got 5"),
    ('#inst "2026-01-01"', "line 1, column 1", "The tag #inst means nothing here"),
    ('{:a #uuid "x"}', "line 1, column 5", "The tag #uuid means nothing here"),
    ("#shop/thing {}", "line 1, column 1", "The tag #shop/thing means nothing here"),
    ("[#?(:clj 1)]", "line 1, column 2", "`#?` is Clojure"),
    ("#(inc %)", "line 1, column 1", "`#(` is Clojure"),
    ('#"re"', "line 1, column 1", '`#"` is Clojure'),
    ("'a", "line 1, column 1", "`'` cannot stand here"),
    ("::a", "line 1, column 1", "`::a` is Clojure"),
    (":a/b/c", "line 1, column 1", "`:a/b/c` is no number and no name"),
    ("[01]", "line 1, column 2", "`01` is no number and no name"),
    ("12abc", "line 1, column 1", "`12abc` is no number and no name"),
    (r"[\a]", "line 1, column 2", "A manifest has no characters"),
    (r"\newline", "line 1, column 1", "A manifest has no characters"),
    ("3/4", "line 1, column 1", "3/4 is a ratio"),
    ("1/0", "line 1, column 1", "`1/0` is no number"),
    ("1e999", "line 1, column 1", "no number that JSON has"),
    ("##NaN", "line 1, column 1", "no number that JSON has"),
    ("9" * 5_000, "line 1, column 1", "more than 1,000 digits"),
    ("9" * 1_001, "line 1, column 1", "more than 1,000 digits"),
    ("1e" + "9" * 5_000 + "M", "line 1, column 1", "more than 1,000 digits"),
    ("1e99999999999999999999M", "line 1, column 1", "is no number"),
    ("1e99999M", "line 1, column 1", "no number"),
    ('"\\ud83d"', "line 1, column 1", "lone surrogate"),
    (r'"\q"', "line 1, column 1", "an escape that EDN does not know"),
    (r'"\N{BULLET}"', "line 1, column 1", "an escape that EDN does not know"),
    ('"a\x00"', "line 1, column 1", "NUL character"),
    ("a\x00", "line 1, column 2", "cannot stand here"),
    ('"abc', "line 1, column 1", "a text begins here and has no end"),
    ("[" * 101 + "]" * 101, "line 1, column 101", "nested more than 100 levels deep"),
    ("[" * 100_000, "line 1, column 101", "nested more than 100 levels deep"),
    (f'["{"a" * 10_000_000}"]', "line 1, column 2", "more than 500,000 values"),
]


@pytest.mark.parametrize(("text", "forms"), UNDERSTOOD, ids=range(len(UNDERSTOOD)))
def test_edn_is_read_as_forms(text: str, forms: list[Form]) -> None:
    read = read_edn(text)
    if text.startswith("[["):
        for _ in range(99):
            assert isinstance(read[0], VectorForm)
            read = list(read[0].items)
    assert read == forms
    kinds = [type(form.value) for form in read if isinstance(form, Atom)]
    assert kinds == [type(form.value) for form in forms if isinstance(form, Atom)]


@pytest.mark.parametrize(("text", "place", "why"), REFUSED, ids=range(len(REFUSED)))
def test_what_is_no_edn_is_refused_in_its_place(text: str, place: str, why: str) -> None:
    with pytest.raises(Unreadable) as refused:
        read_edn(text)
    assert refused.value.place == place
    assert why in str(refused.value)


def test_every_form_knows_where_it_stands() -> None:
    whole = read_edn('{:a\n [:b "c"]}', "shop.edn")[0]
    assert isinstance(whole, MapForm)
    key, value = whole.items[0]
    assert isinstance(value, VectorForm)
    places = [str(form.at) for form in (whole, key, value, *value.items)]
    assert places == [
        f"{place} of shop.edn"
        for place in (
            "line 1, column 1",
            "line 1, column 2",
            "line 2, column 2",
            "line 2, column 3",
            "line 2, column 6",
        )
    ]


def test_one_and_true_are_two_keys() -> None:
    whole = read_edn("{1 :a true :b 1.0 :c}")[0]
    assert isinstance(whole, MapForm)
    assert len(whole.items) == 3


def test_every_rule_of_the_librarys_grammar_has_an_action() -> None:
    rules = {name for name in vars(library_grammar) if name.startswith("p_")}
    assert rules == {name for name in vars(edn_text._Actions) if name.startswith("p_")}

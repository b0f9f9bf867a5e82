from hypothesis import given, settings
from hypothesis import strategies as st

from dagster_pgflow.names import is_valid_slug
from tests.postgres import Session

SLUGS: dict[str, bool] = {
    "my_workflow_123": True,
    "_": True,
    "_private": True,
    "A": True,
    "Run": True,
    "RUN": True,
    "run_": True,
    "a" * 128: True,
    "a" * 129: False,
    "": False,
    "run": False,
    "123_invalid": False,
    "has-dashes": False,
    "has space": False,
    " lead": False,
    "trail ": False,
    "line\n": False,
    "a\nb": False,
    "dot.ted": False,
    "größe": False,
    "\uff41": False,
    "a\u0661": False,
    "\u212a": False,
}


def test_sql_and_python_know_the_same_slugs(sql: Session) -> None:
    in_sql = {slug: sql.value("select pgflow.is_valid_slug(%s)", slug) for slug in SLUGS}
    assert in_sql == SLUGS
    assert {slug: is_valid_slug(slug) for slug in SLUGS} == SLUGS


def test_null_is_no_slug(sql: Session) -> None:
    assert sql.value("select pgflow.is_valid_slug(null)") is False
    assert is_valid_slug(None) is False


def test_the_function_is_immutable(sql: Session) -> None:
    found = sql.value("select provolatile from pg_proc where proname = 'is_valid_slug'")
    assert found == "i"


@settings(max_examples=300)
@given(
    slug=st.text(
        st.sampled_from("azAZ09_- run\n\u00e9\u212a\u0660")
        | st.characters(exclude_characters="\0", exclude_categories=["Cs"]),
        max_size=6,
    )
)
def test_sql_and_python_agree_on_any_text(sql: Session, slug: str) -> None:
    assert sql.value("select pgflow.is_valid_slug(%s)", slug) is is_valid_slug(slug)

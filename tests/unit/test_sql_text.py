"""Where one SQL statement ends and the next begins."""

import pytest

from dagster_pgflow.store.sql_text import split_statements


def texts(sql: str) -> list[str]:
    return [statement.text for statement in split_statements(sql)]


@pytest.mark.parametrize(
    "statement",
    [
        "select ';'",
        "select 'it''s;'",
        r"select e'\';' || E';'",
        'select 1 as "a;""b"',
        "select $$;$$",
        "select $body$ $$;$$ ; $body$",
        "select a$b$c",
        "select 1 /* ; /* ; */ ; */ + 1",
        "select 1 -- ;\n + 1",
        "create rule r as on insert to t do also (select 1; select 2)",
        "create function f() returns int begin atomic select case 1 when 1 then 2 end; end",
        "select case when true then 1 end",
        "select $1",
        "select 'ümlaut;' as größe",
    ],
)
def test_a_semicolon_inside_does_not_end_a_statement(statement: str) -> None:
    assert texts(f"{statement};\nselect 2") == [statement, "select 2"]


@pytest.mark.parametrize("sql", ["", ";;", "-- only\n", "/* a comment", " \n;\n"])
def test_a_text_without_statements_has_none(sql: str) -> None:
    assert texts(sql) == []


@pytest.mark.parametrize("sql", ["select 'open", "select $$open", 'select "open', "select /* open"])
def test_what_is_not_closed_reaches_to_the_end(sql: str) -> None:
    assert texts(f"{sql}; select 2") == [f"{sql}; select 2"]


def test_a_statement_knows_its_line_and_first_words() -> None:
    found = list(split_statements("-- one\n\nSTART /* x */ Transaction;\nselect\n1"))
    assert [(one.line, one.words) for one in found] == [(3, "start transaction"), (4, "select")]

"""SQL that handlers and users write themselves, on the connection of the store."""

import pytest

from dagster_pgflow.errors import StoreRefused
from dagster_pgflow.store.database import Database, StatementResult


def test_parameters_are_values_and_never_sql(database: Database) -> None:
    with database.transaction() as transaction:
        rows = transaction.run_sql("select :a as a, cast(:b as int) as b", a="'; drop", b="7")
    assert [dict(row) for row in rows] == [{"a": "'; drop", "b": 7}]


def test_a_statement_without_rows_returns_none(database: Database) -> None:
    with database.transaction() as transaction:
        assert transaction.run_sql("create temporary table t (a int)") == ()


def test_a_problem_is_the_authors_and_not_a_damaged_schema(database: Database) -> None:
    with (
        pytest.raises(StoreRefused, match='relation "none" does not exist'),
        database.transaction() as transaction,
    ):
        transaction.run_sql("select * from none")


def test_text_is_run_as_it_is_and_answers_with_its_last_statement(database: Database) -> None:
    with database.transaction() as transaction:
        said = transaction.answer("""select 1; select '{"a":1}'::json ->> 'a' as b, '50%' as b""")
    assert said == StatementResult(("b", "b"), (("1", "50%"),), 1)


def test_a_change_says_how_many_rows(database: Database) -> None:
    with database.transaction() as transaction:
        transaction.run_script("create temporary table t as select generate_series(1, 3) as a")
        assert transaction.answer("update t set a = 0 where a > 1") == StatementResult((), (), 2)

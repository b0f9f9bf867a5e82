import re

import pytest
from sqlalchemy import TextClause

from dagster_pgflow.store.queries import named_queries
from tests.postgres import Session


@pytest.mark.parametrize("name", named_queries())
def test_every_named_query_is_sound_sql(sql: Session, name: str) -> None:
    query: TextClause = named_queries()[name]
    statement = re.sub(
        r"(?<![:\w]):(\w+)", lambda found: _number(query, found.group(1)), str(query)
    )
    sql(f"prepare checked as {statement}")


def _number(query: TextClause, parameter: str) -> str:
    return f"${list(query._bindparams).index(parameter) + 1}"

import re

import psycopg2
from sqlalchemy import TextClause

from dagster_pgflow.store.queries import named_queries
from tests.postgres import Session


def test_every_named_query_is_sound_sql(sql: Session) -> None:
    unsound: dict[str, str] = {}
    for name, query in named_queries().items():
        try:
            sql(f"prepare {name} as {_with_numbered_parameters(query)}")
        except psycopg2.Error as error:
            unsound[name] = str(error)
    assert unsound == {}


def _with_numbered_parameters(query: TextClause) -> str:
    names = list(query._bindparams)
    return re.sub(
        r"(?<![:\w]):(\w+)", lambda found: f"${names.index(found.group(1)) + 1}", str(query)
    )

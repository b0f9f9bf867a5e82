"""A connection that listens is cut at any moment, and says so in our words."""

from typing import Any

import pytest

from dagster_pgflow.errors import StoreError
from dagster_pgflow.store import listener as module
from dagster_pgflow.store.address import parse_address
from dagster_pgflow.store.connections import open_connection
from dagster_pgflow.store.listener import Listener
from tests.polling import poll
from tests.postgres import Session

END_OTHERS = """
    select count(pg_terminate_backend(pid)) from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid()"""


@pytest.fixture
def listener(database_url: str) -> Listener:
    return Listener(parse_address(database_url), "some_channel")


def test_what_is_told_is_heard(listener: Listener, sql: Session) -> None:
    listener.open()
    sql("select pg_notify('some_channel', 'a'), pg_notify('another', 'b')")
    poll(lambda: listener.wait(1))
    assert listener.heard() == [("some_channel", "a")]
    listener.close()


def test_one_that_is_cut_off_hears_nothing_and_knows_it(listener: Listener, sql: Session) -> None:
    listener.open()
    sql(END_OTHERS)
    poll(lambda: listener.heard() == [] and not listener.is_open)
    listener.open()
    assert listener.is_open
    listener.close()


def test_a_server_that_goes_away_between_two_words_is_a_store_that_does_not_answer(
    listener: Listener, sql: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    def opened_and_cut(address: Any) -> Any:
        connection = open_connection(address)
        sql(END_OTHERS)
        return connection

    monkeypatch.setattr(module, "open_connection", opened_and_cut)
    with pytest.raises(StoreError):
        listener.open()
    assert not listener.is_open

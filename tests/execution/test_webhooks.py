"""What goes out to webhooks, and that no service, however it behaves, holds anything up."""

import json
import socket
import threading
from pathlib import Path
from typing import Any

import pytest

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.store.database import Database
from dagster_pgflow.store.deliveries import Deliveries
from dagster_pgflow.webhooks import sender as module
from dagster_pgflow.webhooks.sender import AT_ONCE, Sender
from dagster_pgflow.webhooks.sending_thread import SendingThread
from dagster_pgflow.webhooks.signing import signature_of
from tests.docs.test_events_page import example
from tests.execution.projecting import World, world
from tests.polling import poll
from tests.postgres import Session
from tests.raw_service import flooding, raw_service, saying
from tests.web_service import Answer, web_service

__all__ = ["world"]

CERTIFICATE = Path(__file__).parents[1] / "certificates" / "localhost.pem"
SECRET = "a \u00fc secret"
HOUR = 3600.0


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGFLOW_SECRET_mine", SECRET)


@pytest.fixture
def sender(database: Database) -> Sender:
    return Sender(Deliveries(database))


def queue(sql: Session, url: str, flow: str = "f", *, private: bool = True, count: int = 1) -> None:
    """Notes ends of runs of a flow that has a webhook at some address."""
    sql(
        """
        insert into pgflow.webhook_deliveries
          (run_id, flow_slug, event, happened_at, url, secret_name, allow_private, body)
        select gen_random_uuid(), %s, 'run.failed', now(), %s, 'mine', %s, %s
        from generate_series(1, %s)
        """,
        flow,
        url,
        private,
        '{"a": 1}',
        count,
    )


def _keeps_quiet(_connection: socket.socket, over: threading.Event) -> None:
    over.wait()


def outcome(sql: Session, flow: str = "f") -> tuple[Any, ...]:
    [row] = sql(
        "select status, answer, error_message from pgflow.webhook_deliveries where flow_slug = %s",
        flow,
    )
    return row


def test_the_end_of_a_run_is_told_and_the_page_shows_how_to_check_it(
    world: World, sender: Sender
) -> None:
    with web_service() as service:
        url = service.on("/hook", Answer(204))
        hook = {"url": url, "secret": "mine", "allow_private": True}
        world.define(Flow("f", on_event=hook).step("a", handler="a"))
        run_id = world.requests.start("f")
        world.run("f", {"a": lambda _: 1}, run_id=run_id)
        world.settle()
        assert sender.send_due(HOUR) == 1
        assert sender.send_due(HOUR) == 0
        [asked] = service.asked
    told = json.loads(asked.body)
    assert told["delivery"] == asked.headers["pgflow-delivery"]
    assert (told["event"], told["run"], told["flow"]) == ("run.completed", str(run_id), "f")
    is_from_us = example("receive_events.py")["is_from_us"]
    headers = {name.title(): value for name, value in asked.headers.items()}
    assert is_from_us(SECRET, headers, asked.body)
    assert not is_from_us("another", headers, asked.body)
    assert not is_from_us(SECRET, headers, asked.body + b" ")
    assert not is_from_us(SECRET, headers | {"Pgflow-Timestamp": "1"}, asked.body)


def test_a_service_that_fails_is_told_again_with_the_same_id(sql: Session, sender: Sender) -> None:
    with web_service() as service:
        queue(sql, service.on("/hook", Answer(500), Answer(200)))
        assert sender.send_due(HOUR) == 1
        assert outcome(sql) == ("pending", 500, f"POST {service.url}/hook answered 500.")
        sql("update pgflow.webhook_deliveries set due_at = now()")
        assert sender.send_due(HOUR) == 1
        first, second = service.asked
    assert outcome(sql) == ("delivered", 200, None)
    assert first.body == second.body == b'{"a": 1}'
    assert first.headers["pgflow-delivery"] == second.headers["pgflow-delivery"]


def test_a_signature_is_over_time_and_body(sql: Session, database: Database) -> None:
    with web_service() as service:
        queue(sql, service.on("/hook", Answer(200)))
        Sender(Deliveries(database), clock=lambda: 1234567890.5).send_due(HOUR)
        [asked] = service.asked
    assert asked.headers["pgflow-timestamp"] == "1234567890"
    assert asked.headers["pgflow-signature"] == signature_of(SECRET, "1234567890", b'{"a": 1}')


def test_a_service_that_never_answers_holds_up_nobody_else(
    sql: Session, sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TIMEOUT_S", 4.0)
    with web_service() as service, raw_service(_keeps_quiet) as silent:
        queue(sql, f"{silent}/hook", "silent", count=200)
        queue(sql, service.on("/hook", Answer(200)), "f", count=20)
        sent = sender.send_due(HOUR)
        assert len(service.asked) == 20
    # One batch found that nobody answers, and spoke for the others.
    assert sent <= 20 + AT_ONCE * 4
    reasons = sql.column(
        "select distinct error_message from pgflow.webhook_deliveries"
        " where flow_slug = 'silent' and attempts > 0"
    )
    assert reasons == [f"POST {silent}/hook took longer than its timeout."]


def test_of_what_a_service_says_only_the_status_is_read(sql: Session, sender: Sender) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n"
    with raw_service(flooding(head, b"x" * 65536)) as endless:
        queue(sql, f"{endless}/hook")
        sender.send_due(HOUR)
    assert outcome(sql) == ("delivered", 200, None)


@pytest.mark.parametrize(
    "said", [b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 20_000, b"\x00\xff" * 1000, b""]
)
def test_what_is_no_http_is_a_failure(sql: Session, sender: Sender, said: bytes) -> None:
    with raw_service(saying(said)) as service:
        queue(sql, f"{service}/hook")
        sender.send_due(HOUR)
    status, answer, message = outcome(sql)
    assert (status, answer) == ("pending", None)
    assert message.startswith(f"POST {service}/hook got no answer: ")


def test_redirects_are_not_followed(sql: Session, sender: Sender) -> None:
    with web_service() as service:
        service.on("/inside", Answer(200))
        url = service.on("/hook", Answer(307, headers={"Location": f"{service.url}/inside"}))
        queue(sql, url)
        sender.send_due(HOUR)
        assert [asked.path for asked in service.asked] == ["/hook"]
    status, answer, message = outcome(sql)
    assert (status, answer) == ("pending", 307)
    assert message.endswith("answered 307; redirects are not followed.")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "10.0.0.1", "0x7f.1"])
def test_a_private_address_is_refused_unless_the_flow_allows_it(
    sql: Session, sender: Sender, host: str
) -> None:
    with web_service() as service:
        queue(sql, f"http://{host}:{service.port}/hook", private=False)
        sender.send_due(HOUR)
        assert service.asked == []
    status, answer, message = outcome(sql)
    assert (status, answer) == ("pending", None)
    assert "say allow_private if the webhook may go there" in message


def test_where_machines_read_their_secrets_no_webhook_goes(sql: Session, sender: Sender) -> None:
    queue(sql, "http://169.254.169.254/latest")
    sender.send_due(HOUR)
    assert "no webhook may go there" in outcome(sql)[2]


def test_hosts_are_bounded_as_those_of_http_steps(
    sql: Session, sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGFLOW_HTTP_HOSTS", "*.example.org")
    with web_service() as service:
        queue(sql, service.on("/hook", Answer(200)))
        sender.send_due(HOUR)
        assert service.asked == []
    assert outcome(sql)[2].startswith('The webhook may not go to the host "127.0.0.1"')


def test_a_certificate_that_nobody_vouches_for_is_refused(sql: Session, sender: Sender) -> None:
    with web_service(CERTIFICATE) as service:
        queue(sql, f"https://localhost:{service.port}/hook")
        sender.send_due(HOUR)
        assert service.asked == []
    status, answer, message = outcome(sql)
    assert (status, answer) == ("pending", None)
    assert "certificate" in message.lower()


def test_a_secret_that_is_missing_is_told_and_can_be_set_later(
    sql: Session, sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    with web_service() as service:
        queue(sql, service.on("/hook", Answer(200)))
        monkeypatch.delenv("PGFLOW_SECRET_mine")
        sender.send_due(HOUR)
        assert outcome(sql)[2].startswith('There is no secret "mine" here; set PGFLOW_SECRET_mine')
        monkeypatch.setenv("PGFLOW_SECRET_mine", "x")
        sql("update pgflow.webhook_deliveries set due_at = now()")
        sender.send_due(HOUR)
        assert len(service.asked) == 1
    assert outcome(sql) == ("delivered", 200, None)


@pytest.mark.parametrize(
    "url",
    ["http://", "no address", "http://[", "http://127.0.0.1:99999/", "http://\u2603.example/\x00"],
)
def test_rows_that_nobody_could_have_written_cost_themselves(
    sql: Session, sender: Sender, url: str
) -> None:
    with web_service() as service:
        queue(sql, url.replace("\x00", ""))
        queue(sql, service.on("/hook", Answer(200)), "good")
        sender.send_due(HOUR)
    assert outcome(sql)[0] == "pending"
    assert outcome(sql, "good")[0] == "delivered"


def test_nothing_of_a_query_or_a_secret_is_in_the_row(sql: Session, sender: Sender) -> None:
    with web_service() as service:
        queue(sql, service.on("/hook", Answer(403, {"you sent": SECRET})) + "?token=word")
        sender.send_due(HOUR)
    assert outcome(sql)[2] == f"POST {service.url}/hook answered 403."
    rows = str(sql("select * from pgflow.webhook_deliveries"))
    assert SECRET not in rows


def test_a_thousand_runs_that_end_at_once_are_told(sql: Session, sender: Sender) -> None:
    with web_service() as service:
        queue(sql, service.on("/hook", Answer(200)), count=1000)
        assert sender.send_due(HOUR) == 1000
        told = {asked.headers["pgflow-delivery"] for asked in service.asked}
    assert len(told) == len(service.asked) == 1000


def test_two_senders_at_once_send_each_once(sql: Session, database: Database) -> None:
    with web_service() as service:
        queue(sql, service.on("/hook", Answer(200)), count=100)
        senders = [
            threading.Thread(target=Sender(Deliveries(database)).send_due, args=(HOUR,))
            for _ in range(2)
        ]
        for thread in senders:
            thread.start()
        for thread in senders:
            thread.join()
        # Who looked while the other held all that it chose has stopped; nothing is left anyway.
        Sender(Deliveries(database)).send_due(HOUR)
        told = [asked.headers["pgflow-delivery"] for asked in service.asked]
    assert len(told) == len({*told}) == 100


def test_a_batch_is_begun_only_while_there_is_time(sql: Session, sender: Sender) -> None:
    with web_service() as service:
        queue(sql, service.on("/hook", Answer(200)), count=100)
        assert sender.send_due(0.0) == 0
        assert service.asked == []


def test_a_store_that_is_away_is_no_error(database_url: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    away = Database(f"postgresql://nobody@127.0.0.1:{port}/nothing")
    assert Sender(Deliveries(away)).send_due(HOUR) == 0
    away.close()


def test_a_thread_sends_as_soon_as_it_is_told(sql: Session, database: Database) -> None:
    with web_service() as service:
        thread = SendingThread(Sender(Deliveries(database)))
        queue(sql, service.on("/hook", Answer(200)))
        thread.start()
        thread.wake()
        poll(lambda: outcome(sql)[0] == "delivered")

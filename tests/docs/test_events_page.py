"""What the page of events shows, at work: a browser follows a run while it goes on."""

import json
import urllib.request
from collections.abc import Iterator
from http.client import HTTPResponse
from http.server import ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from dagster_pgflow.model.flow import Flow
from tests.docs.pages import ROOT, blocks_of
from tests.execution.projecting import World, world

__all__ = ["world"]

PAGE = ROOT / "docs" / "events.md"


def example(file_name: str) -> dict[str, Any]:
    """Returns the names of a Python file on the page."""
    [block] = [block for block in blocks_of(PAGE) if block.file_name == file_name]
    names: dict[str, Any] = {"__name__": "page"}
    exec(compile(block.text, block.place, "exec"), names)  # noqa: S102  our own
    return names


def told(stream: HTTPResponse) -> str:
    """Returns the next event, as a browser gets it."""
    while True:
        line = stream.readline().decode()
        if line.startswith("data: "):
            event = json.loads(line.removeprefix("data: "))
            return f"{event.get('step') or 'run'} {event['status']}"


@pytest.fixture
def address(monkeypatch: pytest.MonkeyPatch, database_url: str) -> Iterator[str]:
    """Where the example of the page answers."""
    monkeypatch.setenv("PGFLOW_DATABASE_URL", database_url)
    handler = example("follow_runs.py")["FollowRun"]
    monkeypatch.setattr(handler, "log_message", lambda *_: None)
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    # A browser that has left is noticed when the next word is sent to it.
    server.daemon_threads, server.block_on_close = True, False
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_browser_is_told_what_is_and_what_changes_while_a_run_goes_on(
    world: World, address: str
) -> None:
    seen: list[str] = []
    world.define(Flow("f").step("a", handler="a").step("b", handler="b", depends_on="a"))
    run_id = world.requests.start("f")
    stream = urllib.request.urlopen(f"{address}/runs/{run_id}", timeout=120)

    def look(_given: Any) -> str:
        # The run has begun, and its first step is done: both are told before the second ends.
        world.project()
        seen.extend(told(stream) for _ in range(3))
        return "done"

    world.run("f", {"a": lambda _: 1, "b": look}, run_id=run_id)
    world.settle()
    assert seen == ["run queued", "run started", "a completed"]
    assert told(stream) in ("b started", "b completed")
    while (last := told(stream)) != "run completed":
        assert last.startswith("b ")
    stream.close()

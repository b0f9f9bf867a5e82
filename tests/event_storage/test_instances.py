"""Which storage an instance has, and what its `dagster.yaml` may say."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import dagster as dg
import pytest
import yaml

from dagster_pgflow.dagster_storage import (
    BufferedPostgresStorage,
    buffered_instance,
    rest,
    storage_kind,
)
from dagster_pgflow.dagster_storage.buffer import BatchLimits
from dagster_pgflow.dagster_storage.compat import pg_config
from dagster_pgflow.dagster_storage.config import buffered_config, limits_of
from tests.event_storage import jobs
from tests.event_storage.deployments import Deployment, deployment
from tests.event_storage.events import RUN, line, lines_in
from tests.event_storage.tables import all_tables
from tests.postgres import Server, Session

PAGE = Path(__file__).parents[2] / "docs" / "event-storage.md"


def test_an_instance_of_dagster_postgres_stores_in_batches_from_now_on(plain: Deployment) -> None:
    assert storage_kind(plain.instance) == "postgres"
    instance = buffered_instance(plain.instance, BatchLimits(interval_ms=10**8))
    assert instance is plain.instance
    assert storage_kind(instance) == "buffered"
    session = Session(plain.dsn)
    instance.store_event(line("one"))
    assert lines_in(session) == []
    instance.get_run_by_id(RUN)
    assert lines_in(session) == ["one"]
    instance.store_event(line("two"))
    rest(instance)
    assert lines_in(session) == ["one", "two"]
    session.close()


def test_its_rows_are_those_of_our_storage(ours: Deployment, plain: Deployment) -> None:
    buffered_instance(plain.instance)
    for one in (ours, plain):
        assert jobs.maps.execute_in_process(instance=one.instance).success
    written, expected = (all_tables(one.dsn, one.home) for one in (plain, ours))
    assert written == expected


def test_ours_stays_as_it_is(ours: Deployment) -> None:
    storage = ours.instance.event_log_storage
    assert buffered_instance(ours.instance).event_log_storage is storage
    assert storage_kind(ours.instance) == "buffered"


def test_others_stay_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
    for made in (dg.DagsterInstance.from_config(str(tmp_path)), dg.DagsterInstance.ephemeral()):
        with made as instance:
            storage = instance.event_log_storage
            assert storage_kind(buffered_instance(instance)) == "other"
            assert instance.event_log_storage is storage
            rest(instance)


def test_an_instance_that_is_described_by_its_parts_stores_in_batches_too(
    server: Server, tmp_path: Path
) -> None:
    parts = "".join(
        f"{part}_storage:\n  module: dagster_postgres\n  class: Postgres{name}Storage\n"
        "  config:\n    postgres_url: {url}\n"
        for part, name in (("run", "Run"), ("event_log", "EventLog"), ("schedule", "Schedule"))
    )
    with deployment(server, tmp_path / "home", parts + "{more}") as made:
        assert storage_kind(buffered_instance(made.instance)) == "buffered"


def test_the_page_has_all_fields_with_their_defaults() -> None:
    plain = cast("Mapping[str, Any]", pg_config())
    own = {name: field for name, field in buffered_config().items() if name not in plain}
    listed = re.findall(r"^\| `(\w+)` \| .* \| (\d+) \|$", PAGE.read_text(), re.MULTILINE)
    assert listed == [(name, str(field.default_value)) for name, field in own.items()]


def test_what_the_page_says_is_a_configuration() -> None:
    [block] = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    storage = yaml.safe_load(block)["storage"]["custom"]
    assert storage["class"] == BufferedPostgresStorage.__name__
    assert storage["module"] == "dagster_pgflow.dagster_storage"
    assert storage["config"].keys() <= buffered_config().keys()


@pytest.mark.parametrize(
    "wrong", [{"flush_interval_ms": -1}, {"batch_events": 0}, {"batch_bytes": 0}]
)
def test_numbers_that_make_no_sense_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"flush_interval_ms .* batch_events and batch_bytes"):
        limits_of(wrong)

"""Which flows are jobs of a code location, and what is read to find out."""

from typing import Any

import dagster as dg
import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine

from dagster_pgflow import Flow, FlowBuilder, build_definitions, build_repository
from dagster_pgflow.errors import ConfigurationError
from dagster_pgflow.location.location import Location
from dagster_pgflow.names import TAG_FLOW
from dagster_pgflow.store.catalog import Catalog, FlowHead
from tests.execution.ticks import publish
from tests.postgres import Session, as_role

STAND_IN = "pgflow__start_flow"
OUR_OWN = {"pgflow__answer", STAND_IN}


def loaded(database_url: str, jobs: Any) -> Location:
    return Location({"database_url": as_role(database_url, "worker"), "jobs": jobs})


def listed(location: Location) -> list[str]:
    return [job.name for job in location.jobs() if job.name not in OUR_OWN]


def test_jobs_are_the_tagged_flows_and_those_with_a_schedule(
    database_url: str, builder: FlowBuilder, sql: Session
) -> None:
    for flow in (
        Flow("plain"),
        Flow("tagged", tags={"job": "true"}),
        Flow("tagged_in_full", tags={"pgflow/job": "true"}),
        Flow("tagged_otherwise", tags={"job": "nightly"}),
        Flow("scheduled").schedule("nightly", "0 2 * * *"),
        Flow("off").schedule("nightly", "0 2 * * *"),
    ):
        builder.define_flow(flow.step("a"))
    sql("update pgflow.schedules set enabled = false where flow_slug = 'off'")
    location = loaded(database_url, jobs="tagged")

    assert listed(location) == ["scheduled", "tagged", "tagged_in_full"]
    assert list(location.schedules()) == ["scheduled__nightly"]


def test_a_location_whose_jobs_are_the_tagged_flows_reads_no_other_definition(
    database_url: str, builder: FlowBuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    builder.define_flows([Flow(f"flow_{number}").step("a") for number in range(50)])
    builder.define_flow(Flow("inner").step("a"))
    builder.define_flow(Flow("outer", tags={"job": "true"}).subflow("inner", "inner"))
    read: list[str] = []
    trees = Catalog.trees

    def counted(self: Catalog, flow_slugs: Any, watermark: int) -> Any:
        found = trees(self, flow_slugs, watermark)
        read.extend(found)
        return found

    monkeypatch.setattr(Catalog, "trees", counted)
    monkeypatch.setattr(Catalog, "flows", None)
    statements: list[str] = []

    @event.listens_for(Engine, "before_cursor_execute")
    def noted(_c: Any, _cursor: Any, statement: str, *_: Any) -> None:
        statements.append(statement)

    try:
        repository = build_repository(database_url=database_url, jobs="tagged")
        jobs = sorted(job.name for job in repository.get_all_jobs())
    finally:
        event.remove(Engine, "before_cursor_execute", noted)

    assert jobs == ["outer", *sorted(OUR_OWN)]
    assert sorted(read) == ["inner", "outer"]
    # However many flows there are: the watermark, the heads, the trees, the store, and the like.
    assert len(statements) < 20


def test_a_function_chooses_the_jobs_by_the_head_of_each_flow(
    database_url: str, builder: FlowBuilder
) -> None:
    builder.define_flow(Flow("f", tags={"team": "docs"}).step("a"))
    builder.define_flow(Flow("g").step("a").schedule("nightly", "0 2 * * *"))
    seen: list[FlowHead] = []

    def says(head: FlowHead) -> bool:
        seen.append(head)
        return head.tags.get("team") == "docs"

    location = loaded(database_url, jobs=says)

    assert listed(location) == ["f"]
    assert seen == [FlowHead("f", 1, 1, {"team": "docs"}), FlowHead("g", 1, 2, {}, True)]


def test_a_schedule_of_a_flow_that_is_no_job_is_named(
    database_url: str,
    builder: FlowBuilder,
    caplog: pytest.LogCaptureFixture,
) -> None:
    builder.define_flow(Flow("g").step("a").schedule("nightly", "0 2 * * *"))
    assert loaded(database_url, jobs=lambda _: False).schedules() == {}
    assert (
        'schedules of these flows do not fire, because jobs=... says that they are no jobs: "g"'
        in (caplog.text)
    )


def test_a_function_that_raises_costs_only_the_flow_that_it_raises_for(
    database_url: str,
    builder: FlowBuilder,
    caplog: pytest.LogCaptureFixture,
) -> None:
    builder.define_flow(Flow("f", tags={"team": "docs"}).step("a"))
    builder.define_flow(Flow("g").step("a"))
    builder.define_flow(Flow("h").step("a"))
    location = loaded(database_url, jobs=lambda head: head.tags["team"])

    assert listed(location) == ["f"]
    assert 'failed for 2 flows, the first of which is "g"' in caplog.text
    assert "KeyError: 'team'" in caplog.text


@pytest.mark.parametrize("choice", ["some", None, 7, ["f"]])
def test_what_says_nothing_about_jobs_is_refused(database_url: str, choice: Any) -> None:
    with pytest.raises(ConfigurationError, match='write "all", "tagged", or a function'):
        build_repository(database_url=database_url, jobs=choice)


def test_a_coroutine_which_says_yes_to_everything_is_refused(database_url: str) -> None:
    async def says(_: FlowHead) -> bool:
        return False

    with pytest.raises(ConfigurationError, match="does not say which flows are jobs"):
        build_repository(database_url=database_url, jobs=says)


def test_what_others_start_by_name_is_a_job(database_url: str, builder: FlowBuilder) -> None:
    builder.define_flow(Flow("stored").step("a"))
    mine = dg.Definitions(
        schedules=[dg.ScheduleDefinition(name="s", job_name="stored", cron_schedule="0 0 * * *")]
    )
    repository = build_definitions(
        mine, database_url=database_url, jobs="tagged"
    ).get_repository_def()
    assert repository.get_job("stored").tags[TAG_FLOW] == "stored"


def test_a_definition_that_cannot_be_read_does_not_disturb_the_choice(
    database_url: str, builder: FlowBuilder, sql: Session
) -> None:
    builder.define_flow(Flow("f", tags={"job": "true"}).step("a"))
    builder.define_flow(Flow("g").step("a"))
    for tags, schedules in (
        ('"text"', "false"),
        ("[1]", "null"),
        ('{"job": true, "deep": {"x": [null]}, "job2": 1e999}', '{"no": 1}'),
    ):
        publish(sql, "g", f'{{"slug": "g", "steps": [], "tags": {tags}, "schedules": {schedules}}}')
        assert listed(loaded(database_url, jobs="tagged")) == ["f"]

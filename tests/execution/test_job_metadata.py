"""What stands beside the graph of a job: definition, version, and where its rows are."""

import dagster as dg

from dagster_pgflow.model.flow import Flow
from tests.execution.projecting import World, world

__all__ = ["world"]

CHILD = Flow("child").step("x")


def test_a_job_shows_the_definition_the_version_and_what_its_rows_are_asked_with(
    world: World,
) -> None:
    flow = Flow("f").step("a", params={"key": {"$secret": "card_key"}}, description="a ``` b")
    world.define(CHILD, flow.subflow("s", "child", depends_on="a"))
    world.define(flow.subflow("s", "child", depends_on="a").step("z"))
    job = world.job("f", {"a": lambda _: 1, "x": lambda _: 1, "z": lambda _: 1})
    shown = {key: entry.value for key, entry in job.metadata.items()}
    definition = str(shown["definition"])
    assert definition.startswith("````yaml\nslug: f\n")
    assert "$secret: card_key" in definition
    assert shown["version"] == "2. What changed: `dagster-pgflow diff f@1 f@2`"
    assert shown["runs flows"] == "- `child` (job `child`)"
    query = str(shown["rows"]).removeprefix("```sql\n").removesuffix("\n```")
    assert world.sql(query) == []
    world.run("f", {"a": lambda _: 1, "x": lambda _: 1, "z": lambda _: 1})
    world.project()
    assert [row[1] for row in world.sql(query)] == ["completed"]


def test_a_large_flow_is_named_and_not_written_out(world: World) -> None:
    flow = Flow("f")
    for number in range(50):
        flow = flow.step(f"s{number}", "a", description="x" * 500)
    long = Flow("g").step("a", description="y" * 20_000)
    world.define(flow, long)
    for slug in ("f", "g"):
        job: dg.JobDefinition = world.job(slug, {"a": lambda _: 1})
        definition = str(job.metadata["definition"].value)
        assert len(definition) < 7_000
        assert definition.endswith(f"`dagster-pgflow export {slug}` prints all of it.")

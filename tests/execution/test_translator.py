"""How a translator shows flows in Dagster, and what its mistakes cost."""

from collections.abc import Mapping, Sequence

import dagster as dg
import pytest

from dagster_pgflow import Flow, FlowBuilder, PgflowTranslator
from dagster_pgflow.errors import ConfigurationError
from dagster_pgflow.location.location import Location
from dagster_pgflow.model.steps import Step
from dagster_pgflow.store.database import Database

ORDER = (
    Flow("order", description="Sells.", tags={"team": "shop"})
    .step("fetch", description="Fetches.")
    .loop("again", depends_on="fetch", back_to="fetch", condition="false", max_iterations=2)
)


class ByTeam(PgflowTranslator):
    def get_flow_description(self, flow: Flow) -> str:
        return f"# {flow.slug.title()}"

    def get_step_description(self, flow: Flow, step: Step) -> str:
        return f"{super().get_step_description(flow, step)} Of {len(flow.steps)}."

    def get_flow_tags(self, flow: Flow) -> Mapping[str, str]:
        return {**super().get_flow_tags(flow), "area": "sales", "dagster/priority": "3"}

    def get_step_tags(self, flow: Flow, step: Step) -> Mapping[str, str]:
        return {"dagster-k8s/config": f"{flow.slug}.{step.slug}"}

    def get_kinds(self, flow: Flow, step: Step) -> set[str]:
        return {*super().get_kinds(flow, step), "python"}

    def get_owners(self, flow: Flow) -> Sequence[str]:
        return [f"team:{flow.tags['team']}"]


class Mistaken(PgflowTranslator):
    """Fails in a way of its own for each flow."""

    def get_flow_description(self, flow: Flow) -> str:
        return None if flow.slug == "no_text" else "Told."  # type: ignore[return-value]

    def get_step_tags(self, flow: Flow, step: Step) -> Mapping[str, str]:
        return (
            {"dagster-pgflow/flow": "other"}
            if (flow.slug, step.slug) == ("of_ours", "fetch")
            else {}
        )

    def get_owners(self, flow: Flow) -> Sequence[str]:
        return ["nobody"] if flow.slug == "no_owner" else []

    def get_kinds(self, flow: Flow, step: Step) -> set[str]:
        return {flow.tags["kind"]} if flow.slug == "no_kind" and step.slug else {"plain"}


@pytest.fixture
def stored(database: Database) -> FlowBuilder:
    return FlowBuilder(database)


def location(database: Database, translator: object) -> Location:
    settings = {"database_url": database.address.dsn, "translator": translator}
    return Location({**settings, "handlers": [{"fetch": lambda given: given}]})  # type: ignore[typeddict-item]


def test_a_translator_changes_how_a_flow_and_its_steps_show(
    database: Database, stored: FlowBuilder
) -> None:
    stored.define_flow(ORDER)
    job = location(database, ByTeam()).job("order")
    [fetch] = [op for op in job.graph.iterate_op_defs() if op.name == "pgflow__order__fetch"]
    assert job.owners == ["team:shop"]
    assert str(job.description).startswith("# Order\n\n")
    assert "dagster/priority" in str(job.description)
    assert job.tags["pgflow/team"] == "shop"
    assert job.tags["pgflow/area"] == "sales"
    assert "dagster/priority" not in job.tags
    assert str(fetch.description).startswith("Fetches. Of 2.\n\n")
    assert fetch.tags["dagster-k8s/config"] == "order.fetch"
    assert {"dagster/kind/single", "dagster/kind/python"} <= fetch.tags.keys()


def test_a_mistake_of_a_translator_breaks_the_flow_that_it_was_made_for_and_no_other(
    database: Database, stored: FlowBuilder
) -> None:
    slugs = ("no_text", "of_ours", "no_owner", "no_kind", "sound")
    stored.define_flows([Flow(slug).step("fetch") for slug in slugs])
    jobs = {job.name: job for job in location(database, Mistaken()).jobs()}
    broken = {slug: str(jobs[slug].description) for slug in slugs if slug != "sound"}
    for description in broken.values():
        assert description.startswith("**This flow cannot run.**")
    assert (
        'Mistaken.get_flow_description returned NoneType, and not text, for flow "no_text";'
        " correct this translator of the code location." in broken["no_text"]
    )
    assert 'the tag "dagster-pgflow/flow"' in broken["of_ours"]
    assert 'the owner "nobody"' in broken["no_owner"]
    assert (
        'Mistaken.get_kinds failed with KeyError: \'kind\' for step "fetch" of flow "no_kind"'
        in broken["no_kind"]
    )
    assert (
        jobs["sound"]
        .execute_in_process(
            run_config={"inputs": {"flow_input": 1}}, instance=dg.DagsterInstance.ephemeral()
        )
        .success
    )


def test_what_is_no_translator_is_refused(database: Database) -> None:
    with pytest.raises(ConfigurationError, match=r"translator=.*is none: give an object"):
        location(database, ByTeam)

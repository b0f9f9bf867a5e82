import json

import pytest

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.steps import SingleStep
from dagster_pgflow.store.catalog import Catalog
from dagster_pgflow.store.flows import FlowBuilder
from tests.calls import calls_of
from tests.postgres import Session
from tests.sql_work import ROWS_READ, CountingDatabase, SqlWork

STEPS = 1_000
FLOWS = 1_000


ROWS_OF_DEPS = """
    select sum(pg_stat_get_xact_tuples_returned(oid))::bigint
    from pg_class
    where oid = 'pgflow.deps'::regclass
      or oid in (select indexrelid from pg_index where indrelid = 'pgflow.deps'::regclass)
"""


def large_flow(slug: str, steps: int = STEPS) -> Flow:
    return Flow(
        slug,
        steps=[
            SingleStep(
                slug=f"s{index}",
                depends_on=tuple(f"s{dep}" for dep in range(max(0, index - 3), index)),
                params={"index": index},
            )
            for index in range(steps)
        ],
    )


def test_the_cost_of_defining_a_flow_grows_with_its_size_and_no_faster(
    counting: CountingDatabase,
) -> None:
    builder = FlowBuilder(counting)
    builder.create_flow("other")

    def cost_of(flow: Flow) -> tuple[SqlWork, int]:
        calls: list[int] = []
        work = counting.work_of(lambda: calls.append(calls_of(lambda: builder.define_flow(flow))))
        return work, calls[0]

    whole = large_flow("whole")
    _, early_calls = cost_of(large_flow("quarter", STEPS // 4))
    late, late_calls = cost_of(whole)
    # Not one for each step; how many exactly depends on time: whoever waits looks for whom.
    assert late.statements < STEPS / 10
    assert late_calls < 6 * early_calls
    assert builder.get_flow("whole") == whole


@pytest.mark.parametrize("known", [0, 3, STEPS // 20])
def test_dependencies_are_not_read_once_for_each_step_whatever_postgresql_knew_of_the_tables(
    builder: FlowBuilder, sql: Session, known: int
) -> None:
    if known:
        builder.define_flow(large_flow("before", known))
        sql("vacuum analyze pgflow.flows, pgflow.steps, pgflow.deps")
    steps = STEPS // 4
    definition = json.dumps(large_flow("whole", steps).to_json())
    with sql.transaction():
        before = sql.value(ROWS_OF_DEPS)
        sql("select pgflow.replace_flow(%s)", definition)
        sql("set constraints all immediate")
        assert sql.value(ROWS_OF_DEPS) - before < 50 * steps


def test_a_step_is_added_without_reading_the_others(sql: Session) -> None:
    def fill(flow: str, steps: int) -> None:
        sql("select pgflow.create_flow(%s)", flow)
        sql(
            "do $$ begin for i in 1..%s loop"
            " perform pgflow.add_step(%s, 's' || i,"
            "   case when i > 1 then array['s' || (i - 1), 's1'] else '{}' end);"
            " end loop; end $$",
            steps,
            flow,
        )

    def rows_to_add(flow: str) -> int:
        with sql.transaction():
            before = sql.value(ROWS_READ)
            sql("select pgflow.add_step(%s, 'next', array['s50', 's1'])", flow)
            return int(sql.value(ROWS_READ)) - int(before)

    fill("small", 50)
    fill("large", STEPS)
    # What PostgreSQL does by itself; before, it takes a flow for so small that it may read it all.
    sql("vacuum analyze pgflow.flows, pgflow.steps, pgflow.deps")
    assert 10 < rows_to_add("large") < 2 * rows_to_add("small") < STEPS / 2


def test_one_flow_is_found_among_a_thousand_without_reading_the_others(
    builder: FlowBuilder, counting: CountingDatabase, sql: Session
) -> None:
    flows = [Flow(f"leaf_{n}").step("a").map("b", depends_on="a") for n in range(FLOWS // 2)]
    flows += [Flow(f"top_{n}").subflow("s", f"leaf_{n}").step("x") for n in range(FLOWS // 2)]
    builder.define_flows(flows)
    sql("analyze pgflow.flow_versions")
    catalog = Catalog(counting)
    watermark = catalog.watermark()
    assert len(catalog.heads(watermark)) == FLOWS
    assert len(catalog.flows(watermark)) == FLOWS
    assert counting.work_of(lambda: catalog.flows(watermark)).rows >= FLOWS
    # Two versions; the planner itself looks at an end of an index now and then.
    assert counting.work_of(lambda: catalog.tree("top_7", watermark)).rows < 20
    assert list(catalog.tree("top_7", watermark)) == ["top_7", "leaf_7"]

import time
from collections.abc import Callable

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.step import SingleStep
from dagster_pgflow.store.catalog import Catalog
from dagster_pgflow.store.flows import FlowBuilder
from tests.postgres import Session

STEPS = 1_000
FLOWS = 1_000


def seconds(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


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
    builder: FlowBuilder,
) -> None:
    quarter, whole = large_flow("quarter", STEPS // 4), large_flow("whole")
    early = seconds(lambda: builder.define_flow(quarter))
    assert seconds(lambda: builder.define_flow(whole)) < 12 * early
    assert builder.get_flow("whole") == whole


def test_the_cost_of_adding_a_step_does_not_grow_with_the_flow(sql: Session) -> None:
    def add(first: int, last: int) -> None:
        sql(
            "do $$ begin for i in %s..%s loop"
            " perform pgflow.add_step('f', 's' || i,"
            "   case when i > 1 then array['s' || (i - 1), 's1'] else '{}' end);"
            " end loop; end $$",
            first,
            last,
        )

    with sql.transaction():
        sql("select pgflow.create_flow('f')")
        early = seconds(lambda: add(1, 300))
        add(301, 1_200)
        late = seconds(lambda: add(1_201, 1_500))
    assert late < 4 * early


def test_one_flow_is_found_among_a_thousand_without_reading_the_others(
    builder: FlowBuilder, catalog: Catalog
) -> None:
    flows = [Flow(f"leaf_{n}").step("a").map("b", depends_on="a") for n in range(FLOWS // 2)]
    flows += [Flow(f"top_{n}").subflow("s", f"leaf_{n}").step("x") for n in range(FLOWS // 2)]
    builder.define_flows(flows)
    watermark = catalog.watermark()
    assert len(catalog.heads(watermark)) == FLOWS
    assert len(catalog.flows(watermark)) == FLOWS
    all_of_them = seconds(lambda: catalog.flows(watermark))
    assert seconds(lambda: catalog.tree("top_7", watermark)) < all_of_them / 4
    assert list(catalog.tree("top_7", watermark)) == ["top_7", "leaf_7"]

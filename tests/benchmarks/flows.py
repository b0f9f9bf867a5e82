"""The flows of the benchmarks."""

from dagster_pgflow import Flow


def ten_step_flow(slug: str) -> Flow:
    """Returns a chain of eight steps with a map beside it and a step behind both."""
    flow = Flow(slug).step("s0")
    for index in range(1, 8):
        flow = flow.step(f"s{index}", depends_on=f"s{index - 1}")
    return flow.map("m", depends_on="s0").step("end", depends_on=["m", "s7"])


def mapped_flow() -> Flow:
    """Returns fetch, a map over what it returns, and save."""
    return (
        Flow("mapped")
        .step("fetch")
        .map("process", depends_on="fetch", batch_size=1)
        .step("save", depends_on="process")
    )

"""The flows of the benchmarks, written by hand in plain Dagster."""

from collections.abc import Iterator

import dagster as dg


def mapped_job(elements: int) -> dg.JobDefinition:
    """Returns fetch, a map over so many elements, and save."""

    @dg.op(out=dg.DynamicOut(int))
    def fetch() -> Iterator[dg.DynamicOutput[int]]:
        for index in range(elements):
            yield dg.DynamicOutput(index, mapping_key=str(index))

    @dg.op
    def process(number: int) -> int:
        return number * 2

    @dg.op
    def save(numbers: list[int]) -> int:
        return sum(numbers)

    @dg.job(executor_def=dg.in_process_executor)
    def mapped() -> None:
        save(fetch().map(process).collect())

    return mapped


def ten_step_job(name: str) -> dg.JobDefinition:
    """Returns a job with the shape of `flows.ten_step_flow`."""

    def step(index: int) -> dg.OpDefinition:
        @dg.op(name=f"{name}__s{index}", ins={"s": dg.In(dg.Any)} if index else {})
        def work(**_inputs: object) -> int:
            return index

        return work

    @dg.op(name=f"{name}__s0", out={"result": dg.Out(), "elements": dg.DynamicOut()})
    def first() -> Iterator[object]:
        yield dg.Output(0, "result")
        yield dg.DynamicOutput(0, "0", "elements")

    @dg.op(name=f"{name}__m")
    def mapped(element: int) -> int:
        return element

    @dg.op(name=f"{name}__end")
    def end(elements: list[int], s: int) -> int:
        return s + len(elements)

    @dg.graph(name=name)
    def ten_steps() -> None:
        result, elements = first()
        for index in range(1, 8):
            result = step(index)(s=result)
        end(elements.map(mapped).collect(), result)

    return ten_steps.to_job()

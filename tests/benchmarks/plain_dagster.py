"""The flows of the benchmarks, written by hand in plain Dagster."""

from collections.abc import Iterator
from typing import Any

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


def document_job(nodes: int) -> dg.JobDefinition:
    """Returns a job with the ops and edges of `bench_documents.document_of`, helpers included."""

    @dg.graph(name="by_hand")
    def parts() -> None:
        before: list[Any] = []
        for index in range(nodes // 10):
            before = [_part(f"n{index}", before)]

    return parts.to_job()


def _part(name: str, before: list[Any]) -> Any:
    """Adds a branch whose routes meet again, and a loop of two iterations; returns its end."""
    first, second = _work(f"{name}_first"), _work(f"{name}_second")
    again = _work(f"{name}_again", "go_on", "leave")

    @dg.graph(name=f"{name}_pass", out={"go_on": dg.GraphOut(), "leave": dg.GraphOut()})
    def one_iteration(given: Any) -> dict[str, Any]:
        _result, go_on, leave = again(second(first(given)))
        return {"go_on": go_on, "leave": leave}

    begin = _work(f"{name}_begin", first=not before)
    _result, yes, no = _work(f"{name}_decide", "yes", "no")(begin(*before))
    ends = [_work(f"{name}_yes")(yes), _work(f"{name}_no")(no)]
    entered = _work(f"{name}_enter")(_work(f"{name}_meet", lists=True)(ends))
    go_on, left = one_iteration.alias(f"{name}_pass_1")(entered)
    _, left_late = one_iteration.alias(f"{name}_pass_2")(go_on)
    _result, done, late = _work(f"{name}_end", "done", "late", lists=True)([left, left_late])
    _work(f"{name}_late")(late)
    return _work(f"{name}_done")(done)


def _work(name: str, *routes: str, lists: bool = False, first: bool = False) -> dg.OpDefinition:
    """Returns an op that hands on what it receives, and takes one of several routes."""

    @dg.op(
        name=name,
        ins={} if first else {"given": dg.In(list if lists else dg.Any)},
        out={"result": dg.Out(), **{route: dg.Out(is_required=False) for route in routes}},
    )
    def work(**given: object) -> Iterator[dg.Output[object]]:
        yield dg.Output(given, "result")

    return work

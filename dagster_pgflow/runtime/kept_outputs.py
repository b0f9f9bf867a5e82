"""What the op around a run inside needs of what the steps of that send."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from dagster_pgflow.names import RESULT_OUTPUT


class Kept(dict[Any, Any]):
    """Some outputs of some ops of a run; all others are let go.

    Args:
        nodes: The ops, by the path of their nodes.
        outputs: The names of the outputs.
    """

    def __init__(self, nodes: Collection[str], outputs: Collection[str] = (RESULT_OUTPUT,)) -> None:
        super().__init__()
        self._nodes = frozenset(nodes)
        self._outputs = frozenset(outputs)
        self._before: list[list[Any]] = []

    def __setitem__(self, handle: Any, value: Any) -> None:
        if self.takes(handle):
            super().__setitem__(handle, value)

    def takes(self, handle: Any) -> bool:
        """Return whether an output is one of those."""
        return handle.output_name in self._outputs and handle.step_key in self._nodes

    def take_over(self, sent: Iterable[Sequence[Any]]) -> None:
        """Add what runs before have sent: lists of node, output and value."""
        self._before = [list(one) for one in sent]

    def sent(self) -> list[list[Any]]:
        """Return what the run has sent, and those before it, as it can be taken over."""
        own = [[handle.step_key, handle.output_name, value] for handle, value in self.items()]
        # What an op sent that ran again does not count, on whatever outputs.
        renewed = {node for node, _, _ in own}
        return [one for one in self._before if one[0] not in renewed] + own

    def of(self, node: str, output: str = RESULT_OUTPUT) -> list[Any]:
        """Return an output of one op; nothing where it took another route."""
        return [value for key, name, value in self.sent() if (key, name) == (node, output)]

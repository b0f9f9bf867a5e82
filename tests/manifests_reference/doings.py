"""What cells, hooks and merges do in drawn manifests: few things, which follow from data alone.

A cell says in its params what its handler does, as a list of `[word, ...]`:

    ["set", key, value]     ["count", key]           ["copy", key, to]
    ["fail", word]          ["fail_if", key, word]   ["late_if", key]    ["list"]
"""

from collections.abc import Callable, Mapping
from typing import Any

from tests.manifests_reference.interpreter import Boom, TooLate

WORK = "work"


def work(data: Any, params: Mapping[str, Any]) -> Any:
    """Does what the params say, and returns the keys that it set."""
    given: dict[str, Any] = {}
    for word, *args in params["does"]:
        match word:
            case "set":
                given[args[0]] = args[1]
            case "count":
                given[args[0]] = _number(data.get(args[0])) + 1
            case "copy":
                given[args[1]] = data.get(args[0])
            case "fail":
                raise Boom(args[0])
            case "fail_if" if _is_true(data.get(args[0])):
                raise Boom(args[1])
            case "late_if" if _is_true(data.get(args[0])):
                raise TooLate
            case "list":
                return [given]
    return given


def _number(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def _is_true(value: Any) -> bool:
    return value is not None and value is not False


def seen(data: Any, _params: Mapping[str, Any]) -> Any:
    """Counts in the data how often it was passed."""
    return {**data, "seen": _number(data.get("seen")) + 1}


def without_a(data: Any, _params: Mapping[str, Any]) -> Any:
    """Takes a key out."""
    return {key: value for key, value in data.items() if key != "a"}


def a_as_b(data: Any, _params: Mapping[str, Any]) -> Any:
    """Has another key say the same."""
    return {**data, "b": data.get("a")}


def first_wins(results: Any, _params: Mapping[str, Any]) -> Any:
    """Merges the results of a join the other way round, and says whose there were."""
    merged: dict[str, Any] = {}
    for result in reversed(list(results.values())):
        merged |= result
    return {**merged, "merged": sorted(results)}


HANDLERS: Mapping[str, Callable[[Any, Mapping[str, Any]], Any]] = {
    WORK: work,
    "seen": seen,
    "without_a": without_a,
    "a_as_b": a_as_b,
    "first_wins": first_wins,
}
HOOKS = ("seen", "without_a", "a_as_b")
MERGE = "first_wins"

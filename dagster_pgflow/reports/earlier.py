"""Reports of versions before this one, which stay in Dagster's log for as long as their runs.

Each step leads from one version to the next, and knows nothing of the others. What such a version
meant is written down here as it was then: what the code does today may change.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from dagster_pgflow.reports.report import VERSION

_ONE_BY_ONE_IN_VERSION_0: Final = 100
_OPS_IN_VERSION_0: Final = 20


def of_this_version(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a report as one of the newest version.

    Raises:
        ValueError: It is of a version to come, or says none that there is.
    """
    version = data.get("version", 0)
    if type(version) is not int or version < 0:
        raise ValueError("its version is no number.")
    if version > VERSION:
        raise ValueError(
            f"its version is {version}, and this program knows those up to {VERSION}; upgrade"
            " dagster-pgflow here, too."
        )
    for step in _STEPS[version:]:
        data = step(data)
    return data


def batch_size_in_version_0(elements: int) -> int:
    """Return how many elements of a list one op handled where its map step did not say."""
    if elements <= _ONE_BY_ONE_IN_VERSION_0:
        return 1
    return -(-elements // _OPS_IN_VERSION_0)


def _from_version_0(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a report of the first kind, which said no version, as one of version 1.

    It named the routes ways, and not every report said who wrote it, or what its op was at.
    """
    raised = {**_OF_VERSION_0, **data}
    if data.get("status") == "failed":
        raised["failed_step"] = data.get("failed_step", data.get("place", data.get("step")))
        raised["place"] = data.get("place", data.get("step"))
    if "ends_way" in data:
        raised["ends_route"] = raised.pop("ends_way")
    return raised


_OF_VERSION_0: Final = MappingProxyType({"worker": ""})

_STEPS: Final[tuple[Callable[[Mapping[str, Any]], Mapping[str, Any]], ...]] = (_from_version_0,)

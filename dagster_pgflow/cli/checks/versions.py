"""Are the right things installed?"""

import platform
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version

from dagster_pgflow.cli.checks.check import Check, failed, ok, skipped
from dagster_pgflow.version import __version__

PACKAGES = ("dagster", "dagster-postgres", "sqlalchemy", "psycopg2-binary")
OLDEST_PYTHON = (3, 11)


def check_versions() -> Iterator[Check]:
    """Look at Python and at the packages that matter."""
    python = platform.python_version()
    if sys.version_info < OLDEST_PYTHON:
        yield failed("Python", f"{python} is too old; 3.11 or newer is needed.")
    else:
        yield ok("Python", f"{python} at {sys.executable}")
    found = [f"dagster_pgflow {__version__}"]
    found += [f"{name} {installed}" for name in PACKAGES if (installed := _version(name))]
    yield ok("Packages", ", ".join(found))
    if _version("dagster-webserver") is None:
        yield skipped(
            "Web UI",
            "dagster-webserver is not installed here; `pip install dagster-webserver` for"
            " `dagster dev` and `dagster-pgflow demo`.",
        )


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None

"""Files of the user that make Dagster do something else than they seem to say."""

import os
import tomllib
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml

from dagster_pgflow.cli.checks.check import Check, failed, warning

BARE_SCHEMES = ("postgres", "postgresql")


def check_project_file(folder: Path) -> Iterator[Check]:
    """Look for a block in pyproject.toml that overrides workspace.yaml.

    Args:
        folder: Where `dagster dev` is started.
    """
    project = folder / "pyproject.toml"
    if not project.is_file() or not (folder / "workspace.yaml").is_file():
        return
    try:
        tools = tomllib.loads(project.read_text(encoding="utf-8")).get("tool", {})
    except (OSError, ValueError):
        return
    for name in ("dagster", "dg"):
        if name in tools:
            yield warning(
                "Workspace",
                f"{project} has a [tool.{name}] block, so `dagster dev` does not read"
                " workspace.yaml; remove the block, or run `dagster dev -w workspace.yaml`.",
            )


def check_storage_url(home: Path) -> Iterator[Check]:
    """Look for a storage URL that means another driver than dagster-postgres can use.

    Args:
        home: The folder of dagster.yaml.
    """
    try:
        config = yaml.safe_load((home / "dagster.yaml").read_text(encoding="utf-8")) or {}
    except (OSError, yaml.YAMLError):
        return  # Dagster itself says what is wrong with it
    if not _means_psycopg_3():
        return
    for place, given in _postgres_settings(config):
        if _scheme(given) in BARE_SCHEMES:
            yield failed(
                "Dagster storage",
                f"{home / 'dagster.yaml'}, {place}: with SQLAlchemy 2.1 a bare postgresql:// means"
                " psycopg 3, which dagster-postgres cannot use; write postgresql+psycopg2://"
                " (or, below postgres_db, scheme: postgresql+psycopg2).",
            )


def _means_psycopg_3() -> bool:
    major, minor, *_ = (int(part) for part in version("sqlalchemy").split(".")[:2])
    return (major, minor) >= (2, 1)


def _postgres_settings(config: Any, place: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield every part of the configuration that says where a PostgreSQL is."""
    if not isinstance(config, dict):
        return
    if "postgres_url" in config or "postgres_db" in config:
        yield place or "storage", config
    for name, value in config.items():
        yield from _postgres_settings(value, f"{place}.{name}" if place else str(name))


def _scheme(settings: Mapping[str, Any]) -> str:
    url = settings.get("postgres_url")
    if isinstance(url, dict):
        url = os.environ.get(str(url.get("env")), "")
    if isinstance(url, str):
        return url.partition("://")[0].lower()
    parts = settings.get("postgres_db")
    return str(parts.get("scheme", BARE_SCHEMES[1])) if isinstance(parts, dict) else ""

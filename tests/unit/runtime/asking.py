"""One attempt of a step of type `pgflow.http`."""

from typing import Any

import pytest

from dagster_pgflow.step_errors import StepError
from tests.unit.runtime.nodes import output_of


def ask(url: str, **params: Any) -> Any:
    """Return what a step that may go to this computer makes of an answer."""
    settings = {"resources": params.pop("resources")} if "resources" in params else {}
    return output_of("http", {"url": url, "allow_private": True, **params}, **settings)


def failure(kind: type[StepError], url: str, **params: Any) -> str:
    """Return what such a step says when it fails in one way and no other."""
    with pytest.raises(kind) as failed:
        ask(url, **params)
    assert type(failed.value) is kind
    return str(failed.value)

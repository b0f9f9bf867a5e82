"""`pgflow.fail`: the end of a way that must not be taken."""

import json
from collections.abc import Iterator
from typing import Any, Final, NoReturn

from dagster_pgflow.node_types.fail import FailConfig
from dagster_pgflow.runtime.context import StepContext
from dagster_pgflow.runtime.node_types.parts import values_at
from dagster_pgflow.step_errors import FailedOnPurpose

_LONGEST: Final = 500


def fail(value: Any, ctx: StepContext) -> NoReturn:
    """Fail the step with the message of its params, whatever attempts are left."""
    config: FailConfig = ctx.params
    raise FailedOnPurpose(" ".join([config.message, *_told(config, value)]))


def _told(config: FailConfig, value: Any) -> Iterator[str]:
    for reason in values_at(value, config.because):
        yield _short(reason if isinstance(reason, str) else json.dumps(reason, ensure_ascii=False))
        break
    if config.tells_keys:
        keys = ", ".join(value) if isinstance(value, dict) else ""
        yield f"The keys of its data: {_short(keys) or 'none'}."


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} …"

"""Secrets: values that a definition names and that are stored nowhere.

`${secret:NAME}` in the params of a step is the entry NAME of the Dagster resource `pgflow_secrets`,
or else the environment variable `PGFLOW_SECRET_NAME` of the process that runs the step. No other
variable can be named: whoever may write flows may send secrets anywhere.
"""

import json
import os
import traceback
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from dagster_pgflow.runtime.spellings import Spellings
from dagster_pgflow.step_errors import NonRetryable, RetryAfter, StepError

RESOURCE: Final = "pgflow_secrets"
VARIABLE_PREFIX: Final = "PGFLOW_SECRET_"
HIDDEN: Final = "***"


class Secrets:
    """The secrets that one task was given.

    Args:
        resources: The Dagster resources of the code location.
    """

    def __init__(self, resources: Any) -> None:
        self._resource = getattr(resources, RESOURCE, None)
        self._given: dict[str, str] = {}

    @property
    def given(self) -> tuple[str, ...]:
        """The secrets that were asked for."""
        return tuple(self._given.values())

    def named(self, name: str) -> str:
        """Return a secret.

        Raises:
            NonRetryable: There is none of this name.
        """
        value = self._of_resource(name) or os.environ.get(f"{VARIABLE_PREFIX}{name}")
        if not value:
            raise NonRetryable(
                f'There is no secret "{name}" here; set the environment variable'
                f" {VARIABLE_PREFIX}{name} where steps run, or give the code location a resource"
                f' "{RESOURCE}" that has it.'
            )
        self._given[name] = value
        return value

    def kept_out_of(self, call: Callable[[], Any]) -> Any:
        """Call something; neither what it returns, nor what it raises, tells a secret."""
        try:
            return without_secrets(call(), self.given)
        except StepError as error:
            told = "".join(traceback.format_exception(error))
            if without_secrets(told, self.given) == told:
                raise
            raise _retold(error, without_secrets(str(error), self.given)) from None

    def _of_resource(self, name: str) -> str | None:
        if self._resource is None or name.startswith("_"):
            return None
        if isinstance(self._resource, Mapping):
            found = self._resource.get(name)
        else:
            found = getattr(self._resource, name, None)
        return found if isinstance(found, str) else None


def without_secrets(value: Any, secrets: Iterable[str]) -> Any:
    """Return JSON with `***` in place of secrets, also where they are spelled in another way.

    Args:
        value: Any JSON.
        secrets: What must not be told.
    """
    return _without(value, Spellings(secrets))


def _without(value: Any, spellings: Spellings) -> Any:
    match value:
        case str():
            return spellings.hidden_in(value, HIDDEN)
        case dict():
            return {
                _without(key, spellings): _without(one, spellings) for key, one in value.items()
            }
        case list():
            return [_without(one, spellings) for one in value]
        case None | bool():
            return value
        case _:
            told = json.dumps(value)
            return value if spellings.hidden_in(told, HIDDEN) == told else HIDDEN


def _retold(error: StepError, message: str) -> StepError:
    match error:
        case RetryAfter():
            return RetryAfter(error.seconds, message)
        case _:
            return type(error)(message)

"""How long to wait before the next attempt."""

import random
from collections.abc import Callable
from typing import assert_never

from dagster_pgflow.model.options import RetryPolicy

Chance = Callable[[], float]
"""Returns a number from 0 up to 1."""


def delay_before(attempt: int, retry_policy: RetryPolicy, chance: Chance = random.random) -> float:
    """Return the seconds before an attempt: `base_delay * 2^n` after `n` failures, capped.

    Jitter spreads the attempts of tasks that failed together, so that they do not all come back
    at once. It never lifts a delay over `max_delay`.

    Args:
        attempt: The number of the attempt to come, from 2.
        retry_policy: The delays that hold for the step.
        chance: What draws the jitter.
    """
    # 2 ** 40 times any delay is beyond the cap; a larger exponent could overflow a float.
    growing = retry_policy.base_delay * 2.0 ** min(attempt - 1, 40)
    delay = min(growing, float(retry_policy.max_delay))
    match retry_policy.jitter:
        case "none":
            return delay
        case "full":
            return delay * chance()
        case "plus-minus":
            return min(2 * delay * chance(), float(retry_policy.max_delay))
        case _:
            assert_never(retry_policy.jitter)

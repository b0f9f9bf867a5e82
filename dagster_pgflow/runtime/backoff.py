"""How long to wait before the next attempt."""

MAX_DELAY = 3600.0


def delay_before(attempt: int, base_delay: float) -> float:
    """Return the seconds before an attempt: `base_delay * 2^n` after `n` failures, capped.

    Args:
        attempt: The number of the attempt to come, from 2.
        base_delay: Seconds.
    """
    # 2 ** 40 times any delay is beyond the cap; a larger exponent could overflow a float.
    return min(base_delay * 2.0 ** min(attempt - 1, 40), MAX_DELAY)

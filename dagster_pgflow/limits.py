"""How large JSON from outside may be, in numbers that every reader and the SQL functions share.

They lie far above what people write, and far below what breaks something: Dagster's serialisation
recurses and gives up at about 500 levels, and Python refuses integers of more than 4,300 digits.
"""

from typing import Final

MOST_LEVELS: Final = 100
"""How deep lists and objects may lie in each other: `7` has no level, `[7]` one, `[[7]]` two."""

MOST_DIGITS: Final = 1_000
"""How many digits a number may have, written out without an exponent: `1e5` has six."""

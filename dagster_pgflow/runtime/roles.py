"""What an op is there for, in a word: the plan says it, and the op that runs goes by it."""

from typing import Literal

Role = Literal[
    "step", "fan_out", "collect", "items", "gather", "output", "begin", "end", "iterations"
]
"""What an op does: a step of a flow, or help where Dagster leaves no other way."""

"""What circuit breakers and rate limiters have to do, once more and small, for comparison."""

from dataclasses import dataclass, field

LEASE_S = 30


@dataclass
class Breaker:
    """A circuit breaker by its rules; times are whole seconds."""

    failure_rate: int
    window: int
    min_calls: int
    open_seconds: int
    half_open_calls: int
    state: str = "closed"
    outcomes: list[bool] = field(default_factory=list)
    round: int = 0
    until: int = 0
    trying: dict[str, int] = field(default_factory=dict)

    def enter(self, call: str, at: int) -> str:
        """Returns `let through`, `trying`, or why not."""
        if self.state == "closed":
            return "let through"
        if self.state == "open" and at < self.until:
            return "open"
        self.trying = {one: end for one, end in self.trying.items() if end > at}
        if self.state == "open":
            self.state, self.outcomes, self.trying = "half_open", [], {}
            self.round += 1
        if len(self.trying) + len(self.outcomes) >= self.half_open_calls:
            return "half_open"
        self.trying[call] = at + LEASE_S
        return "trying"

    def leave(self, call: str, began_in: int, failed: bool | None, at: int) -> None:
        """Notes that a call ended; `None` where that says nothing."""
        was_trying = self.trying.pop(call, None) is not None
        if failed is None or began_in != self.round or self.state == "open":
            return
        if self.state == "half_open":
            if was_trying:
                self._tried(failed, at)
            return
        self.outcomes = [*self.outcomes, failed][-self.window :]
        enough = len(self.outcomes) >= min(self.min_calls, self.window)
        if enough and 100 * sum(self.outcomes) >= self.failure_rate * len(self.outcomes):
            self._open(at)

    def _tried(self, failed: bool, at: int) -> None:
        self.outcomes.append(failed)
        most = self.half_open_calls
        left = most - len(self.outcomes)
        if 100 * sum(self.outcomes) >= self.failure_rate * most:
            self._open(at)
        elif 100 * (sum(self.outcomes) + left) < self.failure_rate * most:
            self.state, self.outcomes = "closed", []
            self.round += 1

    def _open(self, at: int) -> None:
        self.state, self.until = "open", at + self.open_seconds
        self.round += 1

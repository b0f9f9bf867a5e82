"""Who lets the calls of a handler past its guards, as steps need it; the store is one."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import UUID, uuid4

from dagster_pgflow.model.guards import GuardName

CallOutcome = Literal["succeeded", "failed", "unknown"]
"""What a call says of what it calls; `unknown` where it never came to that."""


@dataclass(frozen=True)
class GuardedCall:
    """One call of a handler that has guards.

    Attributes:
        tenant: Whose flow it is, empty for nobody's: tenants share nothing.
        guards: What each guard is, with all of its fields and its key.
        holder: Whose call it is, for people.
        call_id: Its name.
    """

    tenant: str
    guards: Mapping[str, Mapping[str, Any]]
    holder: str
    call_id: UUID = field(default_factory=uuid4)

    @property
    def holds_something(self) -> bool:
        """Whether anything is to be said at its end."""
        return not self.guards.keys() <= {"rate_limiter"}


@dataclass(frozen=True)
class Admission:
    """What the guards say of a call.

    Attributes:
        refused_by: The guard that does not let it through now.
        wait_s: After how many seconds its turn has come, which is taken; or would come.
        details: What else the guard says.
    """

    refused_by: GuardName | None = None
    wait_s: float = 0.0
    details: Mapping[str, Any] = field(default_factory=dict)


class CallGuards(ABC):
    """Counts calls for all runs, in whatever process or on whatever machine."""

    @abstractmethod
    def enter_call(self, call: GuardedCall, without: frozenset[GuardName]) -> Admission:
        """Take a call past its guards, from the outside to the inside.

        Args:
            call: The call.
            without: The guards that it has passed.
        """

    @abstractmethod
    def keeping_call(self, call: GuardedCall) -> AbstractContextManager[None]:
        """Say now and then, while it is entered, that the call is under way."""

    @abstractmethod
    def leave_call(self, call: GuardedCall, admission: Admission, outcome: CallOutcome) -> None:
        """Free what a call holds and note what it came to.

        That it cannot be told is no reason to lose what the call did: nothing is raised then.
        """

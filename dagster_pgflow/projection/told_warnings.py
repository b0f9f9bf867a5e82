"""What ops report that their authors should look at, though nothing fails for it."""

from collections import defaultdict

from dagster_pgflow.projection.sightings import Sighting
from dagster_pgflow.projection.unfolding import Unfolding


class ToldWarnings:
    """Tells each warning of a step once, however many ops and attempts report it.

    Args:
        unfolding: What has begun and ended so far.
    """

    def __init__(self, unfolding: Unfolding) -> None:
        self._unfolding = unfolding
        self._told: dict[str, set[str]] = defaultdict(set)

    def tell(self, path: str, sighting: Sighting) -> None:
        """Tell which conditions of a step have no answer, as far as one of its ops knows.

        What a branch or a loop decides is told with its decision, warnings included.
        """
        for sentence in (sighting.outcome or {}).get("unanswered", ()):
            if sentence not in self._told[path]:
                self._told[path].add(sentence)
                self._unfolding.note("step.warned", path, {"warnings": [sentence]})

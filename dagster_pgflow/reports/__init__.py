"""What an op says of its step: typed, with a version, and read for as long as Dagster keeps it.

An op writes one report into each of Dagster's events that is about it: with its output, with its
failure, and in an event of its own where another attempt follows or a run inside begins. The
projection, the trace of a failed subflow and a run that goes on with another one live on nothing
else. So all that a report may say stands in `report.py`, as fields of frozen data, and a name that
changes in one place only is an error of types.

`to_json` and `from_json` are the one way to JSON and back. Every report says its version. Readers
leave out fields that they do not know, so a further field is no new version. A change that they
would misunderstand is one; then `earlier.py` gets the step from the version before. A report of a
version that is newer than its reader is refused in a sentence: half of what happened is worse than
all of it after the upgrade.
"""

from dagster_pgflow.reports.reading import from_json
from dagster_pgflow.reports.writing import to_json

__all__ = ["from_json", "to_json"]

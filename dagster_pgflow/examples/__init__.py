"""Flows that ship: small, whole, and run on real input.

`ai_workflow.sql` is defined in SQL alone, `order.py` with the Python builder, `measure_docs.yaml`
as a document; `handlers.py` has all their handlers. `dagster-pgflow load --examples` stores the
flows, and `definitions.py` is a code location that can run them.
"""

from pathlib import Path

FOLDER = Path(__file__).parent

FLOW_FILES = (
    FOLDER / "ai_workflow.sql",
    FOLDER / "order.py",
    FOLDER / "measure_docs.yaml",
)
"""What `dagster-pgflow load` takes; `order.py` brings the flow `payment` with it."""

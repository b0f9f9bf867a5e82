"""Workflow documents that several tests share: one for each construct."""

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
NAMES = sorted(path.stem for path in FOLDER.glob("*.json"))


def document(name: str) -> dict[str, Any]:
    """Returns a fresh copy of one of them."""
    read: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text())
    return read

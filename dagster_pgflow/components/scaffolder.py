"""What `dg scaffold defs dagster_pgflow.PgflowComponent` writes: a component that works at once."""

from typing import Any, Final

import dagster as dg

_HANDLERS: Final = '''\
"""What the steps of flows do: a flow names these functions, and has no code of its own."""

from dagster_pgflow import handler


@handler("hello.greet")
def greet(whom: dict) -> str:
    """Greet somebody."""
    return f"Hello, {whom.get('name', 'world')}!"
'''

_FLOW: Final = """\
# Stored by: dagster-pgflow load hello.yaml
slug: hello
description: Says hello.
steps:
  - {type: single, slug: greet}
"""


class PgflowScaffolder(dg.Scaffolder[Any]):
    """Writes the component, a module of handlers beside it, and a flow that uses them."""

    def scaffold(self, request: dg.ScaffoldRequest[Any]) -> None:
        """Write the files, and leave alone what is there."""
        dg.scaffold_component(request, {"handlers": [".handlers"], "resource_key": "pgflow"})
        folder = request.target_path.parent if request.append else request.target_path
        for name, text in (("handlers.py", _HANDLERS), ("hello.yaml", _FLOW)):
            file = folder / name
            if not file.exists():
                file.write_text(text, encoding="utf-8")

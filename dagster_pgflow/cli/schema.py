"""`dagster-pgflow schema`: the JSON Schema of a flow file."""

from dagster_pgflow.cli.command import command_with_examples
from dagster_pgflow.cli.console import print_json
from dagster_pgflow.model.flow import Flow


@command_with_examples(
    "schema",
    "schema > flow.schema.json",
)
def command() -> None:
    """Print the JSON Schema of a flow file.

    Editors complete and check flows with it, and language models write them by it.
    """
    schema = Flow.model_json_schema(by_alias=True)
    print_json({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema})

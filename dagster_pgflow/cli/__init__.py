"""The command line: one command a file, loaded when it is called."""

from dagster_pgflow.cli.command_group import CommandGroup

main = CommandGroup.of_this_package()
"""The entry point `dagster-pgflow`."""

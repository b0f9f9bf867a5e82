"""A new project: the files that `dagster-pgflow init` writes, and the rules for its name."""

from dagster_pgflow.cli.new_project.naming import package_name
from dagster_pgflow.cli.new_project.writing import NewProject

__all__ = ["NewProject", "package_name"]

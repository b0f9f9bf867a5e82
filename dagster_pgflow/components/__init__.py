"""The component with which a project of `dg` has flows."""

"""What the steps of the built-in node types do."""

"""One rewriting of the plan a file."""

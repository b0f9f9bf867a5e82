"""What is allowed, and most likely not what its author meant: warnings, one kind a file."""

"""Is a definition sound? One rule a file; all problems at once."""

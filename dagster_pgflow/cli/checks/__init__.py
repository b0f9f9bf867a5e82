"""What `dagster-pgflow doctor` looks at."""

"""What `dagster-pgflow demo` consists of."""

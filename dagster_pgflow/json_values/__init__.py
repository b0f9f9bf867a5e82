"""JSON from outside: what is too much of it, how it is read, and how it reaches Dagster."""

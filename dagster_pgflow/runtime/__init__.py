"""What a step does when it runs: pure functions on JSON, and one file that knows Dagster."""

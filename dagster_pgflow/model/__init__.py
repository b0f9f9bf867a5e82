"""What a flow is: frozen data, no I/O and no Dagster."""

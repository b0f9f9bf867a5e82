"""What happened, back in tables: Dagster's event log folded into rows, again and again the same."""

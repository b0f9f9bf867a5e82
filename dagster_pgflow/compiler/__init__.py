"""From a flow to a Dagster graph: a plan, small passes over it, and two emitters."""

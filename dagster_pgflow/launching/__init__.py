"""Runs of flows that a process of ours creates in Dagster; the flow need not be a job there."""

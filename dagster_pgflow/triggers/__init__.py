"""When a flow starts: requests, cron rows, and new definitions."""

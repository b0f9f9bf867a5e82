"""A code location: what a user says about it, and what it has at one moment."""

"""A deployment whose processes are killed at random while flows run: `make chaos`."""

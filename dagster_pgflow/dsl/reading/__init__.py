"""Text from outside becomes values, within limits: a small text stays small work."""

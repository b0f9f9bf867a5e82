"""The product as a user runs it: a real `dagster dev`, started once for all of these tests."""

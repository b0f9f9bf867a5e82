"""Manifests: cells, edges and dispatches over one data map, read and written as flows."""

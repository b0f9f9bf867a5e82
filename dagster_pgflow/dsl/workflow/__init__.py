"""Workflow documents: nodes and edges, which become the one `Flow`, and flows that become them."""

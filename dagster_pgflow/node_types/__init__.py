"""What the steps of the built-in node types say: config models, without what they do."""

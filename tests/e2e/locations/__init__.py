"""Code locations that stand in the workspace beside the product's own."""

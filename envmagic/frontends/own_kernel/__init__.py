"""The kernel "Notebook's own environment": finds at its start where a notebook runs."""

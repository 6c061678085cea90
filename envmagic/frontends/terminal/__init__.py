"""In a terminal: the command line."""

"""In a notebook: the magics, what they know and record, how they answer."""

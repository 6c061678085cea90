"""Which environment a notebook runs in, found from what it and its directories declare."""

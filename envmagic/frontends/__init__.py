"""How a person meets envmagic: the notebook, the terminal, their words and answers."""

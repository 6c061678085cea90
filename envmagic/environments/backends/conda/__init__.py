"""conda environments: found, activated, made and changed, with or without conda installed."""

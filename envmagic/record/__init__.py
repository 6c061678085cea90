"""What notebooks need, and the files that say so."""

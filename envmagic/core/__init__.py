"""What everything speaks of: errors, verbs, environments, names. It knows nothing else."""

"""What an upgrade would take, why the rest stays, and an environment on another Python."""

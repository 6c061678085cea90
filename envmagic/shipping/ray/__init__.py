"""What Ray is told, and asked, when a notebook's environment goes to its workers."""

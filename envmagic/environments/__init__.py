"""What is on the disk, and what makes it: environments, their owner, their backends."""

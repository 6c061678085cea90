"""The relay: one process in front, the kernels it passes messages to behind it."""

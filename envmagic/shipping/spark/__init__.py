"""Spark's way to bring an environment along: one archive, which executors unpack and start."""

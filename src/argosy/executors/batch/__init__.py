"""Batch systems through transports: the driver, and PSI/J's executors over it."""

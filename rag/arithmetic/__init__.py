"""Questions that want arithmetic, answered by code from numbers that the passages hold."""

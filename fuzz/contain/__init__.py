"""Calls that cannot hurt: every call runs in a worker process, and the parent decides how it ended."""

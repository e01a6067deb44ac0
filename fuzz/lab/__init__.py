"""The lab: runs traces on fresh executors, remembers what was seen, and compares runs."""

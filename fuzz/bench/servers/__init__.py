"""Benchmarks of testing servers: hand-made faults of the front end, and another tool on the same server."""

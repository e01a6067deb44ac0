"""Branch-arm probes: a store an arm, put into a target's modules at import, into memory that outlives workers."""

"""Certification: proof within seconds that inference works at all on this machine, for a build step."""

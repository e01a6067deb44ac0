"""Findings: de-duplicated, confirmed by replay, shrunk, stored, and replayable."""

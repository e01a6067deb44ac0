"""Gaps: what the corpus and the regressions do not exercise, and what nobody would notice."""

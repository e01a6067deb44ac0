"""Cases worth keeping, as JSON files: seeds, coverage-increasing cases, regressions."""

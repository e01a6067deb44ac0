"""The release gate: every check of a profile in one command, and its result for people and for other tools."""

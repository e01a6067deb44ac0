"""Edits of a trace, the mutator twins of the strategies: of prompts, of options, of timing, and of the whole."""

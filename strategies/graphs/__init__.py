"""Workflow graphs as generated input: valid and malformed cases, mutations, and steps to simpler cases."""

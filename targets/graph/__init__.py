"""Workflow graphs: configs, inputs, scripted replies, results and the contract of a graph runner."""

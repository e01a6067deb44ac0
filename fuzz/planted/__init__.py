"""Planted bugs: real bugs rebuilt as small edits of a target's source, to measure what finds them and how soon."""

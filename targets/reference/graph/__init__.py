"""The reference graph runner: small, on asyncio, with timeouts, retries, cancellation and checkpoints."""

from __future__ import annotations

from targets.reference.graph.runner import GraphRunner

__all__ = ["GraphRunner"]

"""The engine as inferfuzz sees it."""

from __future__ import annotations

from targets.contract import Limits, Request, Target
from targets.domain import require_valid, supporting

from .engine import Engine


class Checked(Engine):
    def submit(self, request: Request) -> None:
        require_valid(request, TARGET)
        super().submit(request)


TARGET = Target(
    name="tiny",
    summary="a small engine of somebody else's",
    load=lambda _device, _dtype: None,
    open=Checked,
    limits=Limits(vocab_size=256, context_length=256),
    domain=supporting("max_tokens", greedy_only=True),
    modules=("tinyengine",),
)

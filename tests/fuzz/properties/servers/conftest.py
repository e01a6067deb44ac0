"""Faults of the reference front end that several properties are tried on."""

from __future__ import annotations

from typing import Any

import pytest

from targets.reference.server.front_end import FrontEnd
from targets.reference.server.openai import routes
from targets.reference.server.openai.inputs import token_lists


@pytest.fixture
def last_prompt_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each prompt of a request is answered as its last one."""

    def mistaken(front_end: FrontEnd, prompt: Any, param: str) -> list[tuple[int, ...]]:
        found = token_lists(front_end, prompt, param)
        return [found[-1]] * len(found)

    monkeypatch.setattr(routes, "token_lists", mistaken)

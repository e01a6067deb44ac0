"""The mock server as a pytest fixture."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from targets.http.mock import MockServer


@pytest.fixture
def inferfuzz_mock_server() -> Iterator[MockServer]:
    """A mock inference server (OpenAI, Anthropic and Ollama endpoints) with canned answers and injected faults."""
    from targets.http.mock import mock_server

    with mock_server() as server:
        yield server

"""Entries that run in workers live in a plain module beside the tests; the zygote inherits the import path."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fuzz.contain.supervisor import Supervisor


@pytest.fixture(scope="session", autouse=True)
def entries_on_the_path() -> Iterator[None]:
    folder = str(Path(__file__).parent)
    sys.path.insert(0, folder)
    yield
    sys.path.remove(folder)


@pytest.fixture(scope="module")
def faulty() -> Iterator[Supervisor]:
    """Commits the fault that the payload names."""
    with Supervisor("targets.faults.entry:make", deadline=1.0, imports=("targets.faults.entry",)) as supervisor:
        yield supervisor


@pytest.fixture
def obedient() -> Iterator[Supervisor]:
    """Does what `contained_entries.make` understands."""
    with Supervisor("contained_entries:make", deadline=2.0, shared=64) as supervisor:
        yield supervisor

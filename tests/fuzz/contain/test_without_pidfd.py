"""What platforms without pidfd fall back to: the zygote is asked whether a worker has ended."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fuzz.contain import system
from fuzz.contain.outcome import Fate
from fuzz.contain.supervisor import Supervisor
from targets.faults import FAULTS


@pytest.fixture
def polling() -> Iterator[Supervisor]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(system, "has_pidfd", lambda: False)
        with Supervisor("targets.faults.entry:make", deadline=0.3) as supervisor:
            yield supervisor


@pytest.mark.parametrize("name", ["exception", "sigsegv-c", "os-exit", "sigkill", "signals-blocked", "child", "daemon"])
def test_fates_are_told_apart_by_polling_too(polling: Supervisor, name: str) -> None:
    assert polling.call(name.encode()).fate is Fate(FAULTS[name].fate)
    assert polling.call(b" after").reply == b" after"


def test_a_platform_says_what_it_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system, "LINUX", False)
    assert all(line and line[-1] != "." for line in system.weaknesses())
    assert any("memory is not bounded" in line for line in system.weaknesses())

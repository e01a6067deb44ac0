from __future__ import annotations

import pytest

from fuzz.engines import choice
from fuzz.engines.choice import DEFAULT, choose
from targets.errors import UsageError


@pytest.mark.parametrize("name", ["guided", "hypothesis"])
def test_an_engine_is_found_by_its_name(name: str) -> None:
    engine, note = choose(name)
    assert (getattr(engine, "__name__", ""), note) == (name, "")


def test_auto_is_the_default_engine() -> None:
    assert choose("auto")[0] is choose(DEFAULT)[0]


def test_without_atheris_guided_takes_its_place_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "has_atheris", lambda: False)
    engine, note = choose("atheris")
    assert engine is choose("guided")[0]
    assert "atheris is not installed" in note
    assert "\n" not in note


def test_an_unknown_engine_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(UsageError, match="Did you mean 'atheris'"):
        choose("athers")

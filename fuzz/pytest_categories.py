"""Test categories under pytest: a timeout for each test by marker or by the pattern of its id.

Only projects with a `[tool.inferfuzz]` section get them, and only through pytest-timeout; a test's own timeout wins.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase

import pytest

from fuzz import configuration
from fuzz.configuration import Category, Configuration
from fuzz.profiles import choose
from targets.errors import UsageError

TIMEOUTS: Mapping[str, float] = {
    "unit": 30.0,
    "integration": 120.0,
    "performance": 300.0,
    "stress": 600.0,
    "endurance": 1_800.0,
}
"""Seconds that a test of a category may take, times the patience of the profile."""


def register(config: pytest.Config) -> None:
    """Make the markers known."""
    for name, seconds in TIMEOUTS.items():
        config.addinivalue_line("markers", f"{name}: a test of this category; it has {seconds:g} s with pytest-timeout")


def limit(items: Iterable[pytest.Item], config: pytest.Config, profile: str) -> None:
    """Give every test of a category its timeout. Raises `pytest.UsageError` for a wrong configuration."""
    # Its entry point has another name than its module.
    timed = any(config.pluginmanager.hasplugin(name) for name in ("timeout", "pytest_timeout"))
    if not timed or not configuration.is_configured(config.rootpath):
        return
    try:
        settings = configuration.load(config.rootpath)
        limits = timeouts(settings)
        patience = choose(profile, settings).patience
    except UsageError as error:
        raise pytest.UsageError(f"inferfuzz: {error}") from error
    for item in items:
        markers = {marker.name for marker in item.iter_markers()}
        name = category_of(item.nodeid, markers, limits, settings.categories)
        if name and "timeout" not in markers:
            item.add_marker(pytest.mark.timeout(limits[name] * patience))


def timeouts(settings: Configuration) -> dict[str, float]:
    """Seconds by category. Raises `UsageError` for a category of one's own without a timeout."""
    found = dict(TIMEOUTS)
    for name, category in settings.categories.items():
        seconds = TIMEOUTS.get(name) if category.timeout is None else category.timeout
        if seconds is None or seconds <= 0:
            raise UsageError(
                f"[tool.inferfuzz.categories.{name}] needs timeout = <seconds above 0>; "
                f"only {', '.join(TIMEOUTS)} have one by default."
            )
        found[name] = seconds
    return found


def category_of(
    node: str, markers: Iterable[str], limits: Mapping[str, float], categories: Mapping[str, Category]
) -> str:
    """The category of a test: by marker first, then by the configured patterns, then by a folder or name like it."""
    marked = set(markers)
    for name in limits:
        if name in marked:
            return name
    for name, category in categories.items():
        if any(fnmatchcase(node, pattern) for pattern in category.names):
            return name
    patterns = ((name, f"*/{name}/*") for name in limits)
    return next((name for name, pattern in patterns if fnmatchcase(f"/{node}", pattern)), "")

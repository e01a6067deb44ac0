"""Profiles: how much is tried, how patiently, and which steps a check has.

Chosen by a flag, then INFERFUZZ_PROFILE, then the configuration; otherwise `ci` where CI is recognised, else `local`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

import msgspec

from fuzz.configuration import Configuration
from targets.errors import UsageError, unknown

VARIABLE = "INFERFUZZ_PROFILE"
STEPS = ("certify", "regressions", "properties", "gaps", "mutation")
"""Steps that a check may have, in their order."""

_CI = ("GITHUB_ACTIONS", "GITLAB_CI", "JENKINS_URL", "BUILDKITE", "CIRCLECI", "TF_BUILD", "TEAMCITY_VERSION")
_NO = ("", "0", "false", "no", "off")


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """One way of testing."""

    name: str
    time: str
    """Budget of a campaign, such as `10m`."""
    examples: int
    """Cases a property gets under pytest."""
    patience: float
    """What every timeout is multiplied by; machines of a CI are slow and shared."""
    steps: tuple[str, ...] = STEPS[:-1]
    derandomize: bool = False
    """The same cases in every run, so that a change is never blamed for another's luck."""


PROFILES: Mapping[str, Profile] = {
    "local": Profile(name="local", time="60s", examples=100, patience=1.0),
    "ci": Profile(name="ci", time="60s", examples=50, patience=3.0, derandomize=True),
    "nightly": Profile(name="nightly", time="1h", examples=5_000, patience=3.0, steps=STEPS),
    "release": Profile(name="release", time="10m", examples=1_000, patience=2.0, steps=STEPS),
}


def choose(flag: str, configuration: Configuration, environment: Mapping[str, str] = os.environ) -> Profile:
    """The profile to use. Raises `UsageError` for a name that is unknown, saying who named it."""
    asked = (
        (flag, "the command line"),
        (environment.get(VARIABLE, ""), f"the variable {VARIABLE}"),
        (configuration.profile, "[tool.inferfuzz] profile"),
        ("ci" if on_ci(environment) else "local", "default"),
    )
    name, origin = next((name, origin) for name, origin in asked if name)
    return named(name, configuration, origin)


def chosen_explicitly(flag: str, configuration: Configuration, environment: Mapping[str, str] = os.environ) -> bool:
    """Whether somebody asked for a profile, rather than our guess."""
    return bool(flag or environment.get(VARIABLE, "") or configuration.profile)


def of_campaign(flag: str, configuration: Configuration, environment: Mapping[str, str] = os.environ) -> Profile:
    """The profile of a single campaign: its budget is the configuration's `time` unless somebody asked for a profile.

    Raises `UsageError` for a name that is unknown.
    """
    chosen = choose(flag, configuration, environment)
    if chosen_explicitly(flag, configuration, environment):
        return chosen
    return msgspec.structs.replace(chosen, time=configuration.time)


def named(name: str, configuration: Configuration, origin: str) -> Profile:
    """A profile with the project's changes. Raises `UsageError`."""
    known = {*PROFILES, *configuration.profiles}
    if name not in known:
        raise unknown("profile", name, known, f"It was named by {origin}.")
    override = configuration.profiles.get(name)
    # A profile of the project's own starts from the local one.
    basis = PROFILES.get(name, msgspec.structs.replace(PROFILES["local"], name=name))
    if override is None:
        return basis
    changes = {field: value for field, value in msgspec.structs.asdict(override).items() if value is not None}
    made = msgspec.structs.replace(basis, **changes)
    for step in made.steps:
        if step not in STEPS:
            raise UsageError(f"[tool.inferfuzz.profiles.{name}] steps: {unknown('step', step, STEPS)}")
    if made.patience <= 0 or made.examples < 1:
        raise UsageError(
            f"[tool.inferfuzz.profiles.{name}]: patience = {made.patience} must be above 0 and "
            f"examples = {made.examples} at least 1."
        )
    return made


def on_ci(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether this seems to be a continuous-integration machine."""
    if environment.get("CI", "").lower() not in _NO:
        return True
    return any(environment.get(name, "").lower() not in _NO for name in _CI)

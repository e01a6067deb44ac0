"""Profiles: who chooses, and what a project may change."""

from __future__ import annotations

import pytest

from fuzz.configuration import Configuration, ProfileOverride
from fuzz.profiles import PROFILES, choose, of_campaign, on_ci
from targets.errors import UsageError


def test_a_flag_wins_over_the_variable_and_the_configuration() -> None:
    chosen = choose("release", Configuration(profile="nightly"), {"INFERFUZZ_PROFILE": "ci"})
    assert chosen == PROFILES["release"]


def test_the_variable_wins_over_the_configuration() -> None:
    assert choose("", Configuration(profile="nightly"), {"INFERFUZZ_PROFILE": "ci"}).name == "ci"


def test_the_configuration_wins_over_what_is_recognised() -> None:
    assert choose("", Configuration(profile="nightly"), {"CI": "true"}).name == "nightly"


@pytest.mark.parametrize(
    ("environment", "name"),
    [({}, "local"), ({"CI": "true"}, "ci"), ({"CI": "false"}, "local"), ({"JENKINS_URL": "http://ci"}, "ci")],
)
def test_without_a_choice_ci_is_recognised(environment: dict[str, str], name: str) -> None:
    assert choose("", Configuration(), environment).name == name
    assert on_ci(environment) is (name == "ci")


def test_a_campaign_takes_the_budget_of_a_profile_only_when_somebody_asked_for_one() -> None:
    configured = Configuration(time="7m")
    assert of_campaign("release", configured, {}).time == PROFILES["release"].time
    assert of_campaign("", configured, {"INFERFUZZ_PROFILE": "release"}).time == PROFILES["release"].time
    recognised = of_campaign("", configured, {"CI": "true"})
    assert (recognised.time, recognised.patience) == ("7m", PROFILES["ci"].patience)


def test_a_project_changes_one_field_and_keeps_the_others() -> None:
    configuration = Configuration(profiles={"ci": ProfileOverride(examples=7)})
    chosen = choose("ci", configuration, {})
    assert (chosen.examples, chosen.patience) == (7, PROFILES["ci"].patience)


def test_a_profile_of_ones_own_starts_from_the_local_one() -> None:
    chosen = choose("mine", Configuration(profiles={"mine": ProfileOverride(time="5s")}), {})
    assert (chosen.name, chosen.time, chosen.examples) == ("mine", "5s", PROFILES["local"].examples)


def test_an_unknown_profile_says_who_named_it() -> None:
    with pytest.raises(UsageError, match=r"'nighty'.*nightly.*INFERFUZZ_PROFILE"):
        choose("", Configuration(), {"INFERFUZZ_PROFILE": "nighty"})


def test_an_unknown_step_is_refused() -> None:
    with pytest.raises(UsageError, match="certify"):
        choose("ci", Configuration(profiles={"ci": ProfileOverride(steps=("certfy",))}), {})

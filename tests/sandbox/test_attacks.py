"""A hostile script gets nowhere, at any level and for any user; every attack works where nothing protects the host."""

import functools
import json
import os
from typing import Any

import pytest

from sandbox.probe import Level
from tests.sandbox.attacks import IMPOSSIBLE, SEEN, catalogue
from tests.sandbox.deliveries import DELIVERIES
from tests.sandbox.host import VICTIMS
from tests.sandbox.levels import User, at_every_level, python_as, report_of


@functools.cache
def assault(level: Level, user: User) -> dict[str, Any]:
    """The whole catalogue, once for each level and user."""
    return report_of("assault", level, user)


@functools.cache
def control(user: User) -> dict[str, Any]:
    """The whole catalogue in a disposable system without a sandbox."""
    if os.geteuid() != 0:
        pytest.skip("only root can make a disposable system to attack")
    program = ("-m", "tests.sandbox.outside", user, "-m", "tests.sandbox.assault", "outside")
    report: dict[str, Any] = json.loads(python_as("root", *program))
    return report


@at_every_level
def test_no_attack_gets_more_than_the_level_says(level: Level, user: User) -> None:
    report = assault(level, user)
    assert set(report["said"]) == set(catalogue()), report["stderr"]
    got_in = {name for name, said in report["said"].items() if not said.startswith("refused:")}
    assert got_in == set(SEEN[level]), {name: report["said"][name] for name in got_in ^ set(SEEN[level])}


@at_every_level
def test_nothing_outside_is_touched_and_no_secret_comes_out(level: Level, user: User) -> None:
    report = assault(level, user)
    assert report["damage"] == []
    assert not report["leaked"]
    assert report["outcome"] == ["ok", "ok"], report["stderr"]


@at_every_level
def test_nothing_in_outputs_leads_the_trusted_side_astray(level: Level, user: User) -> None:
    report = assault(level, user)
    assert report["arrived"] == []
    assert report["honest"] == "honest"


def test_every_attack_works_without_a_sandbox() -> None:
    report = control("root")
    failed = {name: report["said"].get(name) for name in catalogue() if report["said"].get(name) != "GOT IN"}
    assert set(failed) <= set(IMPOSSIBLE), failed
    assert set(report["arrived"]) == set(DELIVERIES)


def test_the_eye_on_the_host_sees_the_damage() -> None:
    """Else "nothing outside is touched" would mean nothing."""
    damage = "\n".join(control("root")["damage"])
    seen = {name: f"victims/{name}" in damage for name in VICTIMS}
    assert seen == {name: name != "watch" for name in VICTIMS}
    for place in ("TCP", "UDP", "a Unix socket", "an abstract socket", "a name server", "the metadata service"):
        assert f"a visit at {place}" in damage, place
    for word in ("dropped", "packages", "its niceness", "its files limit"):
        assert word in damage, word


@pytest.mark.slow
def test_most_attacks_work_for_an_ordinary_user_too() -> None:
    """Where root is needed to succeed, root's control has shown it; these show that a user has much to lose."""
    said = control("user")["said"]
    worked = {name for name, answer in said.items() if answer == "GOT IN"}
    assert {"a private key in a home", "memory of a bystander", "a program with more rights", "vsock"} <= worked
    assert len(worked) > len(catalogue()) / 2


def test_there_are_attacks_enough_of_every_kind() -> None:
    groups = [attack.group for attack in catalogue().values()]
    assert len(groups) - groups.count("calls") >= 150
    assert min(groups.count(group) for group in set(groups)) >= 15

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from flows import heartbeat
from mlab import config
from mlab.config import Config
from mlab.maintenance import Policy
from tests.runs import ROOT

FILE = yaml.safe_load((ROOT / "prefect.yaml").read_text())
DEPLOYMENTS: dict[str, dict[str, Any]] = {deployment["name"]: deployment for deployment in FILE["deployments"]}
named = pytest.mark.parametrize("name", DEPLOYMENTS)


def config_of(name: str) -> Config:
    return config.from_tree(DEPLOYMENTS[name]["parameters"].get("config", {}), f"deployment {name}")


def test_there_is_one_for_every_use() -> None:
    assert set(DEPLOYMENTS) == {"nightly", "weekly-deep", "manual", "maintenance"}


@named
def test_the_flow_is_there_and_takes_the_parameters(name: str) -> None:
    file, function = DEPLOYMENTS[name]["entrypoint"].split(":")
    assert (ROOT / file).is_file()
    flow = getattr(importlib.import_module(file.removesuffix(".py").replace("/", ".")), function)

    validated = flow.validate_parameters(DEPLOYMENTS[name]["parameters"])

    if name == "maintenance":
        assert validated == {"policy": Policy(), "dry_run": False}
    else:
        assert validated.get("config", Config()) == config_of(name)


@pytest.mark.parametrize(("name", "file"), [("nightly", "nightly"), ("weekly-deep", "deep"), ("manual", "default")])
def test_a_deployment_searches_what_its_config_file_says(name: str, file: str) -> None:
    assert config_of(name) == config.load(ROOT / "configs" / f"{file}.yaml")


@pytest.mark.parametrize(
    ("name", "cron"),
    [
        ("nightly", r"\d+ \d+ \* \* \*"),
        ("weekly-deep", r"\d+ \d+ \* \* [0-6]"),
        ("maintenance", r"\d+ \d+ \* \* \*"),
    ],
)
def test_a_scheduled_one_runs_alone_on_a_clock_of_its_own(name: str, cron: str) -> None:
    deployment = DEPLOYMENTS[name]
    (schedule,) = deployment["schedules"]

    assert re.fullmatch(cron, schedule["cron"])
    assert schedule["timezone"] == "UTC"
    assert deployment["concurrency_limit"]["limit"] == 1
    assert schedule["slug"] == name, "a schedule that people have paused is known again by it"
    assert name == "maintenance" or config_of(name).search.max_time_s is not None


def test_the_manual_one_runs_when_asked_only() -> None:
    assert not DEPLOYMENTS["manual"].get("schedules")


@named
def test_all_share_one_work_pool_and_send_heartbeats_as_often_as_they_are_expected(name: str) -> None:
    pool = DEPLOYMENTS[name]["work_pool"]

    assert pool["name"] == "martingale"
    seconds = int(pool["job_variables"]["env"]["PREFECT_FLOWS_HEARTBEAT_FREQUENCY"])
    assert 2 * seconds < heartbeat.SILENCE.seconds <= 90


def test_no_folder_of_any_machine_is_named() -> None:
    text = (ROOT / "prefect.yaml").read_text()

    assert FILE["pull"] == [{"prefect.deployments.steps.set_working_directory": {"directory": "{{ $MLAB_HOME }}"}}]
    assert str(Path.home()) not in text
    assert str(ROOT) not in text


def test_the_parameters_make_a_form() -> None:
    from flows.optimize import optimize  # noqa: PLC0415 - slow

    schema = optimize.parameters.model_dump()
    assert set(schema["properties"]) == {"config", "resume", "workers"}
    assert {"Ladder", "Limits", "MarketRules", "ReplayRules", "Score", "Search"} <= set(schema["definitions"])

"""What `make status` says."""

from __future__ import annotations

import argparse

import pytest
from caregrid import ports
from caregrid.commands import platform
from caregrid.platform import services

pytestmark = pytest.mark.unit


def test_only_what_runs_has_an_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "known", lambda name: {"airflow": 8080, "mlflow": 5000, "docs": 8081}[name])
    monkeypatch.setattr(services.processes, "is_running", lambda name: name == "docs")
    assert services.addresses() == {"docs": "http://127.0.0.1:8081"}


def test_accounts_are_named_where_airflow_runs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(services, "running", lambda: ["airflow-api-server"])
    monkeypatch.setattr(services, "addresses", lambda: {"airflow": "http://127.0.0.1:8080"})
    platform._status(argparse.Namespace())
    assert "sign in to Airflow as admin, data_engineer" in capsys.readouterr().out
    monkeypatch.setattr(services, "addresses", dict)
    platform._status(argparse.Namespace())
    assert "sign in" not in capsys.readouterr().out

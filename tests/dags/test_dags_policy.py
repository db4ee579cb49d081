"""The DAGs as Airflow sees them: all load, and each keeps the rules that people on call rely on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from caregrid.feeds import feed_files
from caregrid.paths import ROOT
from caregrid.platform.dags import Owner, Tier
from caregrid.platform.runbooks import FOLDER

pytestmark = pytest.mark.dags

KINDS = {
    "build_warehouse",
    "train_forecast",
    "score_forecast",
    "evaluate_alerts",
    "maintain",
    "document_warehouse",
    "veto_model",
}


def test_bag_holds_one_ingest_per_feed_and_the_named_dags(parsed: dict[str, Any]) -> None:
    feeds = {f"ingest_{file.stem}" for file in feed_files()}
    assert feeds, "no feed found: the folder is wrong"
    assert set(parsed["dags"]) == KINDS | feeds


def test_nothing_fails_to_import(parsed: dict[str, Any]) -> None:
    assert parsed["errors"] == {}


def test_no_feed_is_broken(parsed: dict[str, Any]) -> None:
    assert [dag_id for dag_id, dag in parsed["dags"].items() if "broken" in dag["tags"]] == []


def test_parse_imports_nothing_heavy(parsed: dict[str, Any]) -> None:
    assert parsed["heavy"] == []


def test_every_dag_names_its_tier_kind_and_runbook(parsed: dict[str, Any]) -> None:
    for dag_id, dag in parsed["dags"].items():
        tiers = [tag for tag in dag["tags"] if tag in set(Tier)]
        kinds = [tag.removeprefix("kind:") for tag in dag["tags"] if tag.startswith("kind:")]
        assert len(tiers) == 1, dag_id
        assert len(kinds) == 1, dag_id
        runbook = FOLDER / f"{kinds[0]}.md"
        assert runbook.is_file(), dag_id
        assert f"docs/runbooks/{kinds[0]}.md" in dag["doc_md"], dag_id
        assert "**When it fails.**" in runbook.read_text(encoding="utf-8"), runbook


def test_every_dag_runs_once_at_a_time_and_has_a_deadline(parsed: dict[str, Any]) -> None:
    for dag_id, dag in parsed["dags"].items():
        assert dag["max_active_runs"] == 1, dag_id
        assert dag["deadline"], dag_id
        assert not dag["catchup"], dag_id


def test_every_task_has_an_owner_and_a_retry_policy(parsed: dict[str, Any]) -> None:
    # These only pass a verdict on; trying again changes nothing.
    verdicts = {("build_warehouse", "publish")}
    for dag_id, dag in parsed["dags"].items():
        assert dag["tasks"], dag_id
        for task_id, task in dag["tasks"].items():
            where = (dag_id, task_id)
            assert task["owner"] in set(Owner), where
            assert task["has_policy"], where
            is_verdict = where in verdicts or task_id == "show_failure"
            assert (task["retries"] == 0) if is_verdict else (task["retries"] >= 1), where


def test_writers_of_served_tables_share_one_pool(parsed: dict[str, Any]) -> None:
    in_pool = {
        (dag_id, task_id)
        for dag_id, dag in parsed["dags"].items()
        for task_id, task in dag["tasks"].items()
        if task["pool"] == "warehouse_write"
    }
    assert in_pool == {("build_warehouse", "build"), ("score_forecast", "build_forecast")}


def test_assets_are_emitted_where_the_design_says(parsed: dict[str, Any]) -> None:
    emitted = {
        (dag_id, task_id): task["outlets"]
        for dag_id, dag in parsed["dags"].items()
        for task_id, task in dag["tasks"].items()
        if task["outlets"]
    }
    feeds = {(f"ingest_{file.stem}", "land_and_stage"): [f"feed_{file.stem}"] for file in feed_files()}
    assert emitted == feeds | {
        ("build_warehouse", "publish"): ["marts"],
        ("build_warehouse", "tell_of_gates"): ["gate_result"],
        ("train_forecast", "train"): ["model"],
        # What was taken off must not be what the board shows.
        ("veto_model", "veto"): ["model"],
        # Never marts: the forecast would call for the next forecast.
        ("score_forecast", "build_forecast"): ["forecast"],
    }


def test_lineage_is_sent_only_where_a_server_is_named(
    parsed: dict[str, Any], parse_folder: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    assert "send_lineage" not in parsed["dags"]
    named = "import os; os.environ['CAREGRID_OPENLINEAGE_URL'] = 'http://127.0.0.1:5000'\n"
    found = parse_folder(ROOT / "dags", tmp_path, named)
    assert found["errors"] == {}
    assert set(found["dags"]) - set(parsed["dags"]) == {"send_lineage"}
    test_every_dag_names_its_tier_kind_and_runbook(found)
    test_every_task_has_an_owner_and_a_retry_policy(found)
    test_every_dag_runs_once_at_a_time_and_has_a_deadline(found)

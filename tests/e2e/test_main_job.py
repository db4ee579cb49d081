"""The whole job through a real scheduler: feeds, gates, marts, forecasts, alert; twice; nothing outside."""

from __future__ import annotations

import json
import re
import socket
import stat
from typing import Any

import httpx
import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(2400)]


def test_every_run_of_the_chain_ends_well(job: Any) -> None:
    first = job.outputs[0]
    assert first.returncode == 0, first.stdout[-3000:] + first.stderr[-3000:]


def test_every_record_is_accounted_for(job: Any) -> None:
    loads = job.query(
        "select load_id, received_records, loaded_records + partly_rejected_records + rejected_records"
        " + duplicate_records + unchanged_records + filtered_records + held_records from core.fct_load"
    )
    assert len(loads) > 5
    assert [load for load in loads if load[1] != load[2]] == []


def test_marts_forecasts_and_an_alert_came_of_it(job: Any) -> None:
    assert job.query("select count(*) > 0 from marts.operations_now_and_next", "bi_reader") == [(True,)]
    assert job.query("select count(*) > 0 from core.fct_forecast", "bi_reader") == [(True,)]
    assert job.query("select count(*) > 0 from model_output.backtest where model = 'seasonal_naive'") == [
        (True,)
    ]
    sent = job.query("select count(*) from action.delivery where outcome = 'sent'")
    assert sent[0][0] > 0
    assert any((job.var / "outbox").iterdir())


def test_summary_names_what_a_person_wants_to_know(job: Any) -> None:
    printed = job.outputs[0].stdout
    for word in ("RECORDS", "TABLES", "FORECAST", "NEW RISK", "ALERTS", "OPEN", "SIGN IN"):
        assert f"\n{word}" in printed, word
    assert re.search(r"✓ gate, build, publish +[0-9.]+ s", printed)


def test_summary_says_what_the_warehouse_holds(job: Any) -> None:
    printed = job.outputs[0].stdout
    received, loaded, partly, rejected = job.query(
        "select sum(received_records), sum(loaded_records), sum(partly_rejected_records),"
        " sum(rejected_records) from core.fct_load"
    )[0]
    assert f"RECORDS  {received:,} received in" in printed
    assert f"{loaded:,} loaded + {partly:,} partly rejected + {rejected:,} rejected" in printed
    models, tests = job.query(
        "select models_built, tests_passed from ledger.build"
        " where kind = 'warehouse' and status = 'published' order by build_id desc limit 1"
    )[0]
    assert f"TABLES   {models} models built; {tests} tests passed" in printed
    # The five most probable overloads, each place with its longest horizon, of places that are not over now.
    longest: dict[Any, tuple[Any, float]] = {}
    for series, horizon, probability in job.query(
        "select series_id, horizon, probability from core.fct_risk where is_newest and not is_over_now"
    ):
        longest[series] = max(longest.get(series, (horizon, probability)), (horizon, probability))
    highest = sorted((probability for _, probability in longest.values()), reverse=True)[:5]
    shown = [int(share) for share in re.findall(r"^ +(\d+) %  \S", printed, re.MULTILINE)]
    assert shown == [int(f"{100 * probability:.0f}") for probability in highest]
    assert len(shown) == 5
    accounts = json.loads((job.var / "secrets" / "airflow_accounts.json").read_text())
    assert len(accounts) > 1
    assert all(f"{name} / {password}" in printed for name, password in accounts.items())


def test_the_late_feed_alone_fires_the_stale_alert(job: Any) -> None:
    newest = (
        "select distinct on (subject) subject, state from action.alert_event where rule = 'feed_fell_silent'"
        " order by subject, alert_event_id desc"
    )
    assert [subject for subject, state in job.query(newest) if state == "firing"] == ["feed:sim_clinics"]


def test_accounts_are_readable_by_their_owner_alone(job: Any) -> None:
    files = [file for file in (job.var / "secrets").iterdir() if file.is_file()]
    assert {"airflow_accounts.json", "database.json", "keys.json"} <= {file.name for file in files}
    assert {stat.S_IMODE(file.stat().st_mode) & 0o077 for file in files if file.name.endswith(".json")} == {0}


def test_no_password_stands_in_any_log(job: Any) -> None:
    secrets = re.findall(r'": "([^"]{12,})"', (job.var / "secrets" / "airflow_accounts.json").read_text())
    secrets += re.findall(r":([^:@/]{20,})@", (job.var / "secrets" / "database.json").read_text())
    assert len(secrets) > 8
    logs = [file for file in (job.var / "logs").rglob("*.log") if file.is_file()]
    assert len(logs) > 10
    leaking = [file.name for file in logs for secret in secrets if secret in file.read_text(errors="replace")]
    assert leaking == []


def test_services_answer_on_loopback(job: Any) -> None:
    addresses = re.findall(r"http://127\.0\.0\.1:\d+", job.outputs[0].stdout)
    assert len(addresses) == 3
    for address in addresses:
        assert httpx.get(address, follow_redirects=True, trust_env=False, timeout=30).status_code == 200


def test_status_names_what_runs(job: Any) -> None:
    status = job.caregrid("status").stdout
    for name in (
        "airflow-api-server",
        "airflow-dag-processor",
        "airflow-scheduler",
        "mlflow",
        "docs",
        "postgres",
    ):
        assert name in status


def test_second_run_changes_no_row_count(job: Any) -> None:
    before = job.row_counts()
    assert sum(before.values()) > 1000
    second = job.demo()
    assert second.returncode == 0, second.stdout[-3000:] + second.stderr[-3000:]
    assert job.row_counts() == before


def test_one_past_day_backfills_and_cascades_to_the_marts(job: Any) -> None:
    day = job.query("select max(published_at at time zone 'Asia/Hong_Kong')::date from landing.file"
                    " where feed = 'sim_quality'")[0][0]  # fmt: skip
    builds = job.query("select max(build_id) from ledger.build where status = 'published'")[0][0]
    facts = job.query("select count(*) from core.fct_quality")
    done = job.caregrid("feeds", "backfill", "sim_quality", str(day))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "staged" in done.stdout
    reloaded = job.query(
        "select published_at at time zone 'Asia/Hong_Kong' from raw.load join landing.file using (file_id)"
        " where replaces is not null"
    )
    assert reloaded
    assert {moment.date() for (moment,) in reloaded} == {day}
    job.wait_until(f"select max(build_id) > {builds} from ledger.build where status = 'published'")
    assert job.query("select count(*) from core.fct_quality") == facts


def test_nothing_but_loopback_is_contacted(job: Any) -> None:
    watched = (job.log.with_name(job.log.name + ".processes")).read_text().splitlines()
    assert len(watched) > 10, "the watch was not loaded: this test would prove nothing"
    assert not job.log.exists(), job.log.read_text()


def test_no_program_asked_the_kernel_for_another_address(job: Any) -> None:
    attempts = job.attempts_outside()
    if attempts is None:
        pytest.skip("runs where there is loopback alone: needs root, unshare and ip (Debian: iproute2)")
    assert attempts == 0
    with pytest.raises(OSError, match="unreachable"), socket.socket() as probe:
        probe.connect(("192.0.2.1", 80))
    assert job.attempts_outside() == 1, "the kernel does not count: this test would prove nothing"


def test_nothing_is_written_outside_var(job: Any) -> None:
    assert job.outside() - job.before == set()

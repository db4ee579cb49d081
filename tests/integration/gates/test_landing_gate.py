"""The landing gate on a real database: who is refused, and that nobody else is."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import great_expectations.expectations as gxe
import pytest
from caregrid import gates
from great_expectations.expectations.metadata_types import FailureSeverity

from expectations import landing
from expectations.building import between, suite

pytestmark = pytest.mark.integration


AddLoad = Callable[..., int]


def _statuses(warehouse: Any) -> dict[int, str]:
    with warehouse.connect("loader") as connection:
        return dict(connection.execute("select load_id, status from raw.load").fetchall())


def _results(warehouse: Any, load_id: int) -> dict[str, tuple[bool, bool, str]]:
    with warehouse.connect("loader") as connection:
        found = connection.execute(
            "select suite || '.' || expectation, success, raised, severity from ledger.gate_result"
            " where load_id = %s",
            [load_id],
        ).fetchall()
    return {name: (success, raised, severity) for name, success, raised, severity in found}


def test_good_load_is_accepted_and_every_expectation_is_recorded(warehouse: Any, add_load: AddLoad) -> None:
    load_id = add_load("beds")
    verdict = gates.gate_staged()
    assert verdict.accepted == [load_id]
    assert verdict.refused == {}
    assert verdict.undecided == {}
    assert _statuses(warehouse) == {load_id: "accepted"}
    results = _results(warehouse, load_id)
    expected = {
        f"landing_{about}.{expectation.meta['name']}"
        for about in ("load", "usage")
        for expectation in landing.SUITES[about]().expectations
        if expectation.meta
    }
    assert set(results) == expected
    assert all(success for success, _, _ in results.values())
    json.dumps(verdict.to_dict())


def test_refused_load_does_not_stop_another_feed(warehouse: Any, add_load: AddLoad) -> None:
    bad = add_load("dirty", rows=5, rejected=15)
    good = add_load("clean")
    verdict = gates.gate_staged()
    assert verdict.accepted == [good]
    assert set(verdict.refused) == {bad}
    assert "rejected_share_at_most_half" in verdict.refused[bad]
    assert _statuses(warehouse) == {bad: "refused", good: "accepted"}


def test_refusal_keeps_what_was_last_accepted(warehouse: Any, add_load: AddLoad) -> None:
    first = add_load("beds")
    gates.gate_staged()
    second = add_load("beds", rows=2, rejected=18)
    gates.gate_staged()
    assert _statuses(warehouse) == {first: "accepted", second: "refused"}
    with warehouse.connect("loader") as connection:
        assert connection.execute("select distinct load_id from canonical.latest").fetchall() == [(first,)]


def test_empty_load_does_not_pass(warehouse: Any, add_load: AddLoad) -> None:
    empty = add_load("empty", rows=0)
    all_rejected = add_load("all_rejected", rows=0, rejected=4)
    verdict = gates.gate_staged()
    assert set(verdict.refused) == {empty, all_rejected}
    assert not _results(warehouse, empty)["landing_load.received_at_least"][0]
    assert not _results(warehouse, all_rejected)["landing_load.rows_at_least"][0]


def test_nothing_staged_is_no_verdict(warehouse: Any) -> None:
    verdict = gates.gate_staged()
    assert (verdict.accepted, verdict.refused, verdict.seconds) == ([], {}, {})


def test_warning_is_recorded_and_passes(warehouse: Any, add_load: AddLoad) -> None:
    load_id = add_load("beds", rows=18, rejected=2)
    verdict = gates.gate_staged()
    assert verdict.accepted == [load_id]
    assert verdict.warnings == {load_id: ["landing_load.rejected_share_at_most"]}
    assert _results(warehouse, load_id)["landing_load.rejected_share_at_most"] == (False, False, "warning")


def test_missing_column_of_a_mild_expectation_fails_the_gate(warehouse: Any, add_load: AddLoad) -> None:
    load_id = add_load("beds")
    planted = {
        **landing.SUITES,
        "load": lambda: suite("planted", [between("gone", "warning", "x", "某", high=1)]),
    }
    verdict = gates.gate_staged(suites=planted)
    assert set(verdict.refused) == {load_id}
    assert _results(warehouse, load_id)["planted.gone_at_most"] == (False, True, "warning")


def test_exception_inside_a_mild_expectation_fails_the_gate(warehouse: Any, add_load: AddLoad) -> None:
    class ExpectTrouble(gxe.ExpectTableRowCountToBeBetween):
        def _validate(self, *args: Any, **kwargs: Any) -> Any:
            raise RuntimeError("planted")

    load_id = add_load("beds")
    trouble = ExpectTrouble(min_value=0, severity=FailureSeverity.WARNING, meta={"name": "trouble"})
    verdict = gates.gate_staged(suites={"load": lambda: suite("planted", [trouble])})
    assert set(verdict.refused) == {load_id}
    assert "planted" in verdict.refused[load_id]
    assert _results(warehouse, load_id)["planted.trouble"] == (False, True, "warning")


def test_exception_over_one_load_does_not_refuse_the_others(add_load: AddLoad) -> None:
    class ExpectTroubleWithSmall(gxe.ExpectColumnMinToBeBetween):
        def _validate(self, metrics: dict[str, Any], **kwargs: Any) -> Any:
            if metrics["column.min"] < 10:
                raise RuntimeError("planted")
            return super()._validate(metrics, **kwargs)

    trouble = ExpectTroubleWithSmall(
        column="received", min_value=0, severity=FailureSeverity.WARNING, meta={"name": "trouble"}
    )
    small, large = add_load("small", rows=4), add_load("large")
    verdict = gates.gate_staged(suites={"load": lambda: suite("planted", [trouble])})
    assert list(verdict.refused) == [small], verdict.refused
    assert verdict.accepted == [large]


def test_count_known_before_its_period_ends_is_refused(add_load: AddLoad) -> None:
    load_id = add_load("beds", known_after=timedelta(0))
    verdict = gates.gate_staged()
    assert "known_too_early_share" in verdict.refused[load_id]


def test_stay_of_more_than_a_year_is_refused(add_load: AddLoad) -> None:
    days, seconds = (
        add_load(feed, unit="hours", measure="length_of_stay", times=times)
        for feed, times in (("days", 24.0), ("seconds", 3600.0))
    )
    verdict = gates.gate_staged()
    assert set(verdict.refused) == {seconds}
    assert "over_bound_share" in verdict.refused[seconds]
    assert "length_of_stay" in verdict.refused[seconds]
    assert days in verdict.accepted


def test_fragment_of_the_usual_file_is_refused(add_load: AddLoad) -> None:
    for _ in range(3):
        add_load("beds", rows=40, status="accepted")
    fragment, half = add_load("beds", rows=3), add_load("beds", rows=19)
    verdict = gates.gate_staged()
    assert set(verdict.refused) == {fragment}
    assert "received_to_smallest" in verdict.refused[fragment]
    assert "landing_load.received_to_usual_within" in verdict.warnings[half]


def test_record_without_a_fate_is_refused(warehouse: Any, add_load: AddLoad) -> None:
    load_id = add_load("beds")
    with warehouse.connect("loader") as connection:
        connection.execute("delete from canonical.usage where load_id = %s and line = 5", [load_id])
    verdict = gates.gate_staged()
    assert "unaccounted" in verdict.refused[load_id]


def test_promised_contract_without_rows_is_a_warning(add_load: AddLoad) -> None:
    load_id = add_load("beds", contracts=("usage", "facility"))
    verdict = gates.gate_staged()
    assert verdict.warnings[load_id] == ["landing_load.contracts_without_rows_at_most"]


def test_failure_to_accept_one_load_leaves_the_others_their_verdict(
    warehouse: Any, add_load: AddLoad, monkeypatch: pytest.MonkeyPatch
) -> None:
    from caregrid import loading

    first, second = add_load("one"), add_load("two")
    real = loading.accept

    def stumble(load_ids: list[int]) -> Any:
        if first in load_ids:
            raise RuntimeError("lost the connection")
        return real(load_ids)

    monkeypatch.setattr(loading, "accept", stumble)
    verdict = gates.gate_staged()
    assert verdict.undecided == {first: "RuntimeError: lost the connection"}
    assert verdict.accepted == [second]
    assert _statuses(warehouse)[first] == "staged"


def test_check_without_decision_writes_nothing(warehouse: Any, add_load: AddLoad) -> None:
    load_id = add_load("beds", rows=1, rejected=9)
    verdict = gates.gate_staged([load_id], decide=False)
    assert set(verdict.refused) == {load_id}
    assert _statuses(warehouse) == {load_id: "staged"}
    assert _results(warehouse, load_id) == {}


def test_refused_load_can_be_released_with_a_reason(warehouse: Any, add_load: AddLoad) -> None:
    from caregrid.cli import main

    load_id = add_load("beds", rows=5, rejected=15)
    gates.gate_staged()
    assert main(["gates", "release", str(load_id), " "]) == 2
    assert _statuses(warehouse) == {load_id: "refused"}
    assert main(["gates", "release", str(load_id), "the registry was down"]) == 0
    assert _statuses(warehouse) == {load_id: "accepted"}
    with warehouse.connect("loader") as connection:
        assert connection.execute("select decision_reason from raw.load").fetchall() == [
            ("the registry was down",)
        ]


def test_commands_say_what_was_found(
    warehouse: Any, add_load: AddLoad, capsys: pytest.CaptureFixture[str]
) -> None:
    from caregrid.cli import main

    bad, good = add_load("dirty", rows=5, rejected=15), add_load("clean")
    assert main(["gates", "check", str(bad), str(good)]) == 1
    assert f"load {good}: would pass" in capsys.readouterr().out
    assert main(["gates", "check", "999"]) == 2
    assert main(["gates", "run"]) == 0
    capsys.readouterr()
    assert main(["gates", "show", str(bad)]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("FAILED")
    assert "rejected_share_at_most_half" in shown

"""What a validation says in words: every shape of an exception, an empty batch, a lost result."""

from __future__ import annotations

import os
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from caregrid import paths
from caregrid.gates import engine
from hypothesis import given
from hypothesis import strategies as st

engine.prepare_environment()

import great_expectations.expectations as gxe  # noqa: E402
from great_expectations.expectations.metadata_types import FailureSeverity  # noqa: E402

from expectations.building import between, has_rows, suite  # noqa: E402

pytestmark = pytest.mark.unit

FINE = {"raised_exception": False, "exception_traceback": None, "exception_message": None}
BAD = {"raised_exception": True, "exception_traceback": "…", "exception_message": "boom"}


@pytest.mark.parametrize("info", [None, {}, FINE, {"metric": FINE}, [], [FINE], SimpleNamespace(**FINE)])
def test_nothing_was_raised(info: Any) -> None:
    assert engine.raised_message(info) is None


@pytest.mark.parametrize(
    "info",
    [
        BAD,
        {"metric": BAD},
        {"fine": FINE, "metric": BAD},
        {"metric": [FINE, BAD]},
        {"metric": {"deeper": BAD}},
        {"metric": SimpleNamespace(**BAD)},
        SimpleNamespace(**BAD),
        {"metric": {SimpleNamespace: BAD}},
    ],
)
def test_exception_is_found_in_every_shape(info: Any) -> None:
    assert engine.raised_message(info) == "boom"


def test_unknown_shape_counts_as_raised() -> None:
    assert "unknown shape" in str(engine.raised_message("something new"))


@given(
    st.recursive(
        st.just(FINE),
        lambda inner: st.dictionaries(st.text(max_size=3), inner, max_size=3) | st.lists(inner, max_size=3),
        max_leaves=8,
    ),
    st.data(),
)
def test_one_exception_anywhere_is_found(info: Any, data: Any) -> None:
    assert engine.raised_message(info) is None
    wrapped = {"a": info, "b": [info, {"c": BAD}]} if data.draw(st.booleans()) else [info, BAD]
    assert engine.raised_message(wrapped) == "boom"


FRAME = pd.DataFrame({"load_id": [1, 2, 3], "share": [0.1, 0.9, float("nan")]})


def _findings(*expectations: Any, frame: pd.DataFrame = FRAME) -> dict[str, engine.Finding]:
    found = engine.validate(suite("test", expectations), frame, ["load_id"]).findings
    assert len(found) == len(expectations)
    return {finding.name: finding for finding in found}


def test_failing_rows_are_named_by_their_key() -> None:
    finding = _findings(between("share", "critical", "x", "某", high=0.5, name="low"))["low"]
    assert (finding.success, finding.raised, finding.failing) == (False, False, frozenset({(2,)}))
    assert finding.fails_gate
    assert [finding.holds_for((load_id,)) for load_id in (1, 2, 3)] == [True, False, True]


def test_warning_does_not_fail_the_gate_unless_it_raised() -> None:
    found = _findings(
        between("share", "warning", "x", "某", high=0.5, name="mild"),
        between("gone", "warning", "x", "某", high=0.5, name="missing_column"),
    )
    assert not found["mild"].fails_gate
    assert found["missing_column"].raised
    assert found["missing_column"].fails_gate
    assert "gone" in found["missing_column"].message
    assert not found["missing_column"].holds_for((1,))


def test_text_where_a_number_belongs_raises_and_fails() -> None:
    frame = pd.DataFrame({"load_id": [1], "share": ["much"]})
    finding = _findings(between("share", "warning", "x", "某", high=0.5, name="text"), frame=frame)["text"]
    assert finding.raised
    assert finding.fails_gate


def test_exception_of_the_expectation_itself_fails_the_gate() -> None:
    class ExpectPlanted(gxe.ExpectTableRowCountToBeBetween):
        def _validate(self, *args: Any, **kwargs: Any) -> Any:
            raise RuntimeError("planted")

    planted = ExpectPlanted(min_value=0, severity=FailureSeverity.WARNING, meta={"name": "planted"})
    found = _findings(planted, between("share", "warning", "x", "某", high=1, name="fine"))
    assert found["planted"].raised
    assert found["planted"].message == "planted"
    assert found["fine"].success


def test_expectation_that_says_it_succeeded_and_raised_fails() -> None:
    class ExpectLiar(gxe.ExpectTableRowCountToBeBetween):
        def _validate(self, *args: Any, **kwargs: Any) -> Any:
            return {"success": True, "result": {"observed_value": 3}, "exception_info": BAD}

    liar = ExpectLiar(min_value=0, severity=FailureSeverity.WARNING, meta={"name": "liar"})
    finding = _findings(liar)["liar"]
    assert (finding.success, finding.raised) == (False, True)


def test_empty_batch_passes_nothing() -> None:
    found = _findings(
        has_rows("rows", "行"),
        between("share", "warning", "x", "某", high=0.5, name="share"),
        frame=FRAME.iloc[:0],
    )
    assert not any(finding.success for finding in found.values())
    assert found["batch_not_empty"].fails_gate


def test_whatever_escapes_fails_every_expectation(monkeypatch: pytest.MonkeyPatch) -> None:
    class Batch:
        def validate(self, *args: Any, **kwargs: Any) -> Any:
            raise KeyError("lost")

    monkeypatch.setattr(engine, "_definition", lambda: SimpleNamespace(get_batch=lambda given: Batch()))
    finding = _findings(between("share", "warning", "x", "某", high=0.5, name="mild"))["mild"]
    assert finding.raised
    assert finding.fails_gate


def test_lost_result_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    batch = SimpleNamespace(validate=lambda *args, **kwargs: SimpleNamespace(results=[]))
    monkeypatch.setattr(engine, "_definition", lambda: SimpleNamespace(get_batch=lambda given: batch))
    finding = _findings(between("share", "warning", "x", "某", high=0.5, name="mild"))["mild"]
    assert finding.fails_gate
    assert finding.message == "no result came back"


def test_nothing_phones_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GX_ANALYTICS_ENABLED", "true")
    monkeypatch.setenv("GX_CLOUD_ACCESS_TOKEN", "secret")
    engine.prepare_environment()
    assert os.environ["GX_ANALYTICS_ENABLED"] == "false"
    assert "GX_CLOUD_ACCESS_TOKEN" not in os.environ
    assert engine.context().config.analytics_enabled is False


def test_its_import_fills_no_log() -> None:
    """Told to log everything to the terminal, as a task does, nothing of its own plugins is said."""
    code = (
        "import logging, sys; logging.basicConfig(level=logging.INFO, stream=sys.stdout)\n"
        "from caregrid.gates import engine; engine.context(); logging.getLogger('task').info('imported')"
    )
    own = {"PYTHONPATH": str(paths.ROOT / "plugins")}
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | own, capture_output=True, text=True, check=True
    )
    assert "imported" in done.stdout
    told = [line for line in done.stdout.splitlines() if "great_expectations" in line]
    # One of its loggers sets a level of its own, and tells of its temporary directory.
    assert [line for line in told if "temporary directory" not in line] == []

"""What a data engineer types, and what the sweeper takes away."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest
from caregrid import loading, paths
from caregrid.cli import main
from caregrid.landing import disk, store
from caregrid.landing.retention import sweep

pytestmark = pytest.mark.integration


def test_from_ingest_to_show(publisher: Any, capsys: pytest.CaptureFixture[str]) -> None:
    feed = str(publisher.feed)
    publisher.publish("2025-03-02", ["A,Alpha,2025-03-01,10,20", "B,,2025-03-01,-1,20"])
    assert main(["feeds", "ingest", feed]) == 0
    said = capsys.readouterr().out
    assert "files 1 landed, 0 unchanged, 0 failed" in said
    assert "records 2 received = 1 loaded + 1 partly rejected + 0 rejected + 0 duplicate + 0 filtered" in said
    assert "loads 1 staged" in said
    assert main(["feeds", "loads"]) == 0
    assert "base:beds_2025-03-02.csv" in capsys.readouterr().out
    assert main(["feeds", "show", "1", "3", "--feed", feed]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["record"]["site"] == "B"
    assert shown["rejects"][0]["value_name"] == "occupied"
    assert main(["feeds", "replay", feed]) == 0
    assert "1 under this mapping already" in capsys.readouterr().out
    assert main(["feeds", "backfill", feed, "2025-03-02"]) == 0
    said = capsys.readouterr().out
    assert "2025-03-02: replayed from landing" in said
    assert "loads 2 staged" in said


def test_what_ingest_prints_adds_up_and_says_why_rows_were_rejected(
    publisher: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [
        "A,Alpha,2025-03-01,10,20",
        "A,Alpha,2025-03-01,10,20",  # the same once more
        "B,Beta,2025-03-01,-1,20",  # one of its rows is loaded
        "C,,2025-03-01,-1,-2",
        "IGNORED,,2025-03-01,1,2",
    ]
    publisher.publish("2025-03-02", rows)
    assert main(["feeds", "ingest", str(publisher.feed)]) == 0
    said = capsys.readouterr().out
    account = publisher.warehouse.account(1)
    assert (account.kept, account.partly_rejected, account.rejected) == (1, 1, 1)
    assert (account.duplicate, account.filtered) == (1, 1)
    assert (
        f"records {account.received} received = {account.kept} loaded + {account.partly_rejected} partly "
        f"rejected + {account.rejected} rejected + {account.duplicate} duplicate "
        f"+ {account.filtered} filtered\n" in said
    )
    assert "rejected for: negative 3; the first of them: caregrid feeds show 1 4\n" in said
    assert main(["feeds", "show", "1", "4"]) == 0
    assert json.loads(capsys.readouterr().out)["record"]["site"] == "B"


def test_a_failed_file_is_exit_code_one_and_bad_input_two(
    publisher: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["feeds", "ingest", str(publisher.feed)]) == 1
    assert "failed: beds_*.csv: there is no file" in capsys.readouterr().out
    assert main(["feeds", "loads", "--count", "1"]) == 2
    assert "nothing has been loaded yet" in capsys.readouterr().err
    assert main(["feeds", "replay", "4711"]) == 2
    assert "there is no load 4711" in capsys.readouterr().err
    assert main(["feeds", "show", "4711", "1"]) == 2
    with pytest.raises(SystemExit) as stopped:
        main(["feeds", "backfill", str(publisher.feed), "01.03.2025"])
    assert stopped.value.code == 2
    assert "write it as 2025-01-31" in capsys.readouterr().err


def test_a_day_that_has_not_come_is_refused_and_reloads_nothing(
    publisher: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    feed = str(publisher.feed)
    publisher.publish("2025-03-02", ["A,,2025-03-01,10,20"])
    publisher.load()
    # 23:30 in UTC is half past midnight of the next day where the feed is published, in British summer time.
    monkeypatch.setenv("CAREGRID_AS_OF", "2025-07-01T23:30:00+00:00")
    for command in (
        ["backfill", feed, "2030-01-01"],
        ["backfill", feed, "2025-03-02", "2025-07-03"],
        ["ingest", feed, "--day", "2025-07-03"],
    ):
        assert main(["feeds", *command]) == 2
        assert "this day has not come: " in capsys.readouterr().err
    assert publisher.query("select count(*) from raw.load") == [(1,)]
    assert main(["feeds", "backfill", feed, "2025-07-02"]) == 0
    assert "2025-07-02: fetched" in capsys.readouterr().out


def test_other_files_are_spoken_of_only_where_there_are_some(publisher: Any) -> None:
    publisher.publish("2025-03-02", ["A,,2025-03-01,10,20"]).write_bytes(b"<!doctype html><html></html>")
    with pytest.raises(loading.IngestFailedError, match="1 of the files") as failed:
        loading.ingest(publisher.feed)
    assert "other files" not in str(failed.value)
    publisher.publish("2025-03-03", ["A,,2025-03-02,10,20"])
    for _ in range(2):  # also where the good one is loaded already
        with pytest.raises(loading.IngestFailedError, match="1 of the files") as failed:
            loading.ingest(publisher.feed)
        assert "the other files are loaded; correct" in str(failed.value)


def test_the_sweeper_takes_leftovers_and_never_a_landed_file(publisher: Any) -> None:
    path = publisher.publish("2025-03-02", ["A,,2025-03-01,10,20"])
    (load_id,) = publisher.load()
    landed = disk.path_of(store.digest(path))
    unnamed, _ = store.keep([b"a crash came before the manifest"])
    half = paths.var("landing", "incoming", "half")
    spill = paths.var("tmp", "load-dead")
    spill.mkdir(parents=True)
    half.write_bytes(b"half")
    assert sweep() == {"incoming": 0, "spills": 0, "unnamed": 0, "unfinished": 0}, (
        "a fetch or load may still be at work"
    )
    for old in (landed, disk.path_of(unnamed), half, spill):
        os.utime(old, (0, 0))
    assert sweep() == {"incoming": 1, "spills": 1, "unnamed": 1, "unfinished": 0}
    assert landed.exists()
    assert not any(gone.exists() for gone in (disk.path_of(unnamed), half, spill))
    assert loading.accept([load_id]) == []


def test_a_text_that_jsonb_cannot_hold_is_kept_visible(publisher: Any) -> None:
    from caregrid.loading.refused import Refused
    from caregrid.mapping import Reject

    publisher.publish("2025-03-02", ["A,,2025-03-01,10,20"])
    (load_id,) = publisher.load()
    record = {"a\x00": "b\x00c", "literal": "\\u0000", "name": "病区 é", "no number": float("nan")}
    refused = Refused(publisher.base, [])
    refused.add([Reject(9, "", "", [{"code": "ragged", "message": "x"}], record)])
    with publisher.warehouse.connect("loader") as connection:
        refused.copy(connection, load_id)
    ((found,),) = publisher.query("select record from rejected.record")
    assert found == {"a\u2400": "b\u2400c", "literal": "\\u0000", "name": "病区 é", "no number": "nan"}

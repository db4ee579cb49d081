"""Nothing is lost between a record and its rows, rejects and filtered rows, however the batches are cut."""

# ruff: noqa: E501 - texts of files and feeds keep their lines

from __future__ import annotations

import csv
import io
from collections import Counter
from typing import Any

import polars as pl
import pytest
from caregrid.mapping.readers import content
from hypothesis import given, settings
from hypothesis import strategies as st

pytestmark = pytest.mark.unit

VALUES = """
      - {column: n, measure: occupied, statistic: snapshot}
      - {column: m, measure: arrivals, statistic: count, dimensions: {age: {column: age}}, where: "kind <> 'x'"}
      - {expr: "n + m", name: both, measure: present, statistic: snapshot, is_provisional: {column: kind, map: {p: true, x: false}, otherwise: missing}}
"""
MORE = """\
    where: "id <> 'skip'"
    reporting_units: units
  - name: places
    contract: facility
    source: s
    place: {level: facility, system: small, code: id, name: kind}
    fields: {name: kind, valid_from: {column: day, format: "%Y-%m-%d"}, latitude: n}
"""
record = st.fixed_dictionaries(
    {
        "id": st.sampled_from(["a", "b", "skip", "", "-"]),
        "day": st.sampled_from(["2024-01-01", "2024-10-27", "2035-01-01", "2024-02-30", "", "x"]),
        "n": st.sampled_from(["1", "0", "-3", "", "*", "n/a", "many", "2.5", "nan"]),
        "m": st.sampled_from(["7", "", "1,5", "-", "1e400"]),
        "age": st.sampled_from(["0-18", "", "19+"]),
        "kind": st.sampled_from(["p", "x", "", 'q"\n"']),
        "units": st.sampled_from(["3", "", "1.5", "-2"]),
    }
)


def written(records: list[dict[str, str]], torn: set[int]) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, ["id", "day", "n", "m", "age", "kind", "units"], lineterminator="\n")
    writer.writeheader()
    for number, row in enumerate(records):
        if number in torn:
            out.write("torn,row\n")
        writer.writerow(row)
    return out.getvalue()


@given(
    records=st.lists(record, min_size=1, max_size=20),
    torn=st.sets(st.integers(0, 19), max_size=3),
    sizes=st.tuples(st.integers(1, 6), st.integers(7, 60)),
)
@settings(max_examples=30)
def test_every_record_is_accounted_for(
    small: Any, records: list[dict[str, str]], torn: set[int], sizes: tuple[int, int]
) -> None:
    feed = small.usage(values=VALUES, more=MORE)
    text = written(records, torn)
    outcomes = [small.map(feed, text, batch_rows=size) for size in sizes]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(content, "BATCH_CHARACTERS", 50)
        outcomes.append(small.map(feed, text))
    first = outcomes[0]

    received = Counter(line for batch in first.batches for line in batch.received_lines.to_list())
    unread = {reject.line for reject in first.unread}
    assert sum(received.values()) == len(records) + len([number for number in torn if number < len(records)])
    assert max(received.values()) == 1

    for index, (output, values) in enumerate((("out", 3), ("places", 1))):
        results = first.results[index::2]
        rows = Counter(line for result in results for line in result.rows["line"].to_list())
        rejected = Counter(reject.line for result in results for reject in result.rejects)
        filtered = Counter(line for result in results for line in result.filtered["line"].to_list())
        # Seen from the records: the ones `where` leaves out count once, the others once per value.
        for line in set(received) - unread:
            left_out = output == "out" and any(
                line in result.filtered.filter(pl.col("value_name") == "")["line"].to_list()
                for result in results
            )
            assert rows[line] + rejected[line] + filtered[line] == (1 if left_out else values)
        assert set(rows) | set(rejected) | set(filtered) == set(received) - unread
        produced = sum(result.produced for result in results)
        assert produced == sum(rows.values()) + sum(rejected.values()) + sum(filtered.values())
        assert all(
            reject.output == output and reject.reasons for result in results for reject in result.rejects
        )

    def everything(outcome: Any) -> Any:
        frames = [
            (
                result.rows.sort(["line", "value_name"]).to_dicts(),
                result.filtered.sort(["line", "value_name"]).rows(),
            )
            for result in (_joined(outcome.results[index::2]) for index in (0, 1))
        ]
        rejects = sorted(
            (reject.output, reject.line, reject.value_name, str(reject.reasons), str(reject.record))
            for reject in outcome.rejects
        )
        return frames, rejects, sorted(reject.line for reject in outcome.unread)

    assert everything(outcomes[0]) == everything(outcomes[1]) == everything(outcomes[2])


def _joined(results: list[Any]) -> Any:
    class Joined:
        rows = pl.concat([result.rows for result in results])
        filtered = pl.concat([result.filtered for result in results])

    return Joined


@given(records=st.lists(record, min_size=1, max_size=30))
@settings(max_examples=40)
def test_what_is_loaded_can_be_true(small: Any, records: list[dict[str, str]]) -> None:
    """No row breaks what the database will check, and each value is the one a plain reading of its record gives."""
    feed = small.usage(values=VALUES, more=MORE)
    outcome = small.map(feed, written(records, set()))
    rows = pl.concat([result.rows for result in outcome.results[0::2]])
    assert ((rows["value_status"] == "reported") == rows["value"].is_not_null()).all()
    assert (rows["value"].fill_null(0) >= 0).all()
    assert (rows["period_end"] >= rows["period_start"]).all()
    lines = sorted({line for batch in outcome.batches for line in batch.lines.to_list()})
    source = dict(zip(lines, records, strict=True))
    for row in rows.filter(pl.col("value_name") == "n").iter_rows(named=True):
        cell = source[row["line"]]["n"]
        status = {"": "missing", "*": "suppressed", "n/a": "not_applicable"}.get(cell, "reported")
        assert row["value_status"] == status
        assert row["value"] == (float(cell) if status == "reported" else None)
    for row in rows.filter(pl.col("value_name") == "both").iter_rows(named=True):
        parts = [source[row["line"]][name] for name in ("n", "m")]
        if row["value_status"] == "reported":
            assert row["value"] == sum(map(float, parts))
        else:
            assert any(part in ("", "-", "*", "n/a") for part in parts)

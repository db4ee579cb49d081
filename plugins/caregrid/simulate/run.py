"""One run of the simulator: build the network, let the hours pass, write the files, list what was planted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path

import polars as pl

from caregrid.errors import CareGridError
from caregrid.simulate import daily, dirt, hourly, registry, wire
from caregrid.simulate.dirt import Fault
from caregrid.simulate.flow import run_flow
from caregrid.simulate.hourly import STAMP, Record
from caregrid.simulate.hours import build_hours
from caregrid.simulate.world import TIMEZONE, build_world

DEFAULT_START = date(2025, 11, 3)
_DAILY_FILES = 3  # the last days come as one file each, all before as one file a month
_SILENT_DAYS = 5  # the clinics' feed says nothing on the last days: its alert must fire
_NOW_AFTER_END = timedelta(minutes=15)  # by then the hourly senders have sent the last hour
_LATE_DAY = 10  # days before the end whose records of one hospital come two days late


@dataclass
class Summary:
    """What was written. `records`: by folder, planted faults included; `as_of`: local time of its now."""

    out: Path
    seed: int
    as_of: str
    timezone: str = TIMEZONE
    files: list[str] = field(default_factory=list)
    records: dict[str, int] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)


def simulate(
    out: Path, seed: int = 1, facilities: int = 12, days: int = 63, start: date = DEFAULT_START
) -> Summary:
    """Write a whole simulated network below `out`. The same arguments give the same bytes.

    Raises:
        CareGridError: for fewer than 4 facilities or fewer than 14 days.
    """
    if facilities < 4 or days < 14:
        raise CareGridError(
            f"{facilities} facilities over {days} days are too few to plant every kind of file",
            fix="use at least --facilities 4 and --days 14",
        )
    world = build_world(seed, facilities)
    hospitals = [place for place in world if not place.is_clinic]
    hours = build_hours(seed, start, days, len(hospitals))
    flow = run_flow(seed, hospitals, hours)
    end = start + timedelta(days=days)
    now = datetime(end.year, end.month, end.day) + _NOW_AFTER_END  # noqa: DTZ001 - local time, as all of it
    run = _Run(Summary(out, seed, now.strftime(STAMP)), start, end)

    middle = start + timedelta(days=days // 2)
    for published, second in ((start, False), (middle, True)):
        document = registry.registry_document(world, published, second=second)
        name = f"facilities_{published}"
        run.write(
            f"registry/{name}.zip", wire.zipped({f"{name}.json": wire.json_document(document)}), facilities
        )
        actions = registry.action_rows(seed, hospitals, start, second=second)
        run.write(f"quality/improvement_actions_{published}.csv", wire.delimited(actions), len(actions))
    resources = registry.resource_rows(world, start)
    run.write(
        f"registry/resources_{start}.tsv.gz",
        wire.gzipped(wire.delimited(resources, delimiter="\t")),
        len(resources),
    )
    quality = registry.quality_rows(seed, hospitals, _months_before(end, 6))
    run.write(f"quality/measures_{end}.csv", wire.delimited(quality), len(quality))

    _write_emergency(
        run, seed, hourly.emergency_records(seed, hospitals, hours, flow), hospitals[1].facility_id
    )
    _write_beds(run, seed, hourly.bed_records(seed, hospitals, hours, flow))
    run.in_files(
        "diversions",
        hourly.diversion_records(hospitals, hours, flow),
        "started_at",
        lambda name, rows: (f"diversions/diversions_{name}.ndjson", wire.ndjson(rows)),
    )
    run.in_files(
        "activity",
        daily.activity_records(seed, hospitals, hours, flow),
        "date",
        lambda name, rows: (
            f"activity/activity_{name}.json.gz",
            wire.gzipped(wire.json_document({"days": rows})),
        ),
    )
    run.in_files(
        "downstream",
        daily.downstream_records(seed, hours),
        "date",
        lambda name, rows: (f"downstream/downstream_{name}.json", wire.json_document({"places": rows})),
    )
    run.in_files(
        "staff",
        daily.staff_records(hospitals, hours, flow),
        "shift_start",
        lambda name, rows: (f"staff/staff_{name}.parquet", wire.parquet(pl.DataFrame(list(rows)))),
    )
    run.in_files(
        "supplies",
        daily.supply_records(seed, hospitals, hours, flow),
        "at",
        lambda name, rows: (f"supplies/supplies_{name}.parquet", wire.parquet(pl.DataFrame(list(rows)))),
    )
    _write_blood(run, daily.blood_records(seed, hours))
    expected = daily.expected_records(hospitals, hours, flow)
    if expected:
        run.write(f"expected/expected_{end}.csv", wire.delimited(expected), len(expected))
    _write_clinics(run, daily.clinic_records(seed, [place for place in world if place.is_clinic], hours))
    run.write(
        "manifest.json",
        wire.json_document(
            {
                "as_of": run.summary.as_of,
                "timezone": TIMEZONE,
                "seed": seed,
                "facilities": facilities,
                "days": days,
                "start": start.isoformat(),
                "faults": [asdict(fault) for fault in run.summary.faults],
            }
        ),
        0,
    )
    return run.summary


class _Run:
    """Writes files below one directory and counts what it wrote."""

    def __init__(self, summary: Summary, start: date, end: date) -> None:
        self.summary = summary
        self.start = start
        self.end = end

    def write(self, path: str, content: bytes, records: int) -> None:
        """Write one file and count its records under its folder."""
        target = self.summary.out / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        self.summary.files.append(path)
        folder = path.split("/")[0]
        if records:
            self.summary.records[folder] = self.summary.records.get(folder, 0) + records

    def chunk(self, records: Sequence[Record], column: str) -> list[tuple[str, list[Record]]]:
        """Return records by file: a month each, and a day each at the end (2025-11, 2025-12-30)."""
        first_daily = (self.end - timedelta(days=_DAILY_FILES)).isoformat()
        files: dict[str, list[Record]] = {}
        for record in records:
            value = record[column]
            day = value.strftime("%Y-%m-%d") if isinstance(value, datetime) else str(value)[:10]
            files.setdefault(day if day >= first_daily else day[:7], []).append(record)
        return list(files.items())

    def in_files(
        self,
        folder: str,
        records: Sequence[Record],
        column: str,
        make: Callable[[str, Sequence[Record]], tuple[str, bytes]],
    ) -> None:
        """Write records without faults, one file per chunk."""
        for name, rows in self.chunk(records, column):
            path, content = make(name, rows)
            self.write(path, content, len(rows))

    def plant(self, fault: Fault) -> None:
        """Note a fault in the summary and the manifest."""
        self.summary.faults.append(fault)


def _write_emergency(run: _Run, seed: int, records: list[Record], late_hospital: str) -> None:
    """Write CSV: duplicates and contradictions, next day a renamed column, and one hospital's day late."""
    late_day = run.end - timedelta(days=_LATE_DAY)
    arrived = f"{late_day + timedelta(days=2)}T09:30:00"
    records, late = dirt.hold_back(records, late_day.isoformat(), late_hospital, arrived)
    files = run.chunk(records, "hour")
    for name, rows in files:
        path = f"emergency/emergency_{name}.csv.gz"
        if name == (run.end - timedelta(days=3)).isoformat():
            rows, fault = dirt.duplicate(seed, path, rows)
            run.plant(fault)
            rows, fault = dirt.contradict(seed, path, rows, "arrivals")
            run.plant(fault)
        if name == (run.end - timedelta(days=2)).isoformat():
            rows, fault = dirt.rename(path, rows, "arrivals", "attendances")
            run.plant(fault)
            rows, fault = dirt.spell_out(seed, path, rows, "waiting_to_be_seen")
            run.plant(fault)
        run.write(path, wire.gzipped(wire.delimited(rows)), len(rows))
    path = f"emergency/emergency_{late_day}_late.csv.gz"
    if late:
        run.write(path, wire.gzipped(wire.delimited(late)), len(late))
        run.plant(Fault(path, "late", len(late), "loads; known two days after the hours it is about"))


def _write_beds(run: _Run, seed: int, records: list[Record]) -> None:
    """Write NDJSON with negative beds on one day."""
    for name, rows in run.chunk(records, "at"):
        path = f"beds/beds_{name}.ndjson.gz"
        if name == (run.end - timedelta(days=3)).isoformat():
            rows, fault = dirt.make_negative(seed, path, rows, ("general", "occupied"))
            run.plant(fault)
        run.write(path, wire.gzipped(wire.ndjson(rows)), len(rows))


def _write_blood(run: _Run, records: list[Record]) -> None:
    """Write TSV of an unreliable sender: one file cut short and sent again, one in another encoding."""
    for name, rows in run.chunk(records, "day"):
        path = f"blood/blood_{name}.tsv.gz"
        content = wire.gzipped(wire.delimited(rows, delimiter="\t"))
        if name == (run.end - timedelta(days=3)).isoformat():
            run.write(f"blood/blood_{name}_again.tsv.gz", content, len(rows))
            content, fault = dirt.truncate(path, content)
        elif name == (run.end - timedelta(days=2)).isoformat():
            content = wire.gzipped(wire.delimited(rows, delimiter="\t", encoding="gb18030"))
            fault = Fault(path, "wrong_encoding", 1, "one rejected file: bytes that UTF-8 cannot hold")
        else:
            run.write(path, content, len(rows))
            continue
        run.plant(fault)
        run.write(path, content, 0)


def _write_clinics(run: _Run, records: list[Record]) -> None:
    """Write TSV, one file a month, that falls silent before the end."""
    silent_from = run.end - timedelta(days=_SILENT_DAYS)
    months: dict[str, list[Record]] = {}
    for row in records:
        if _day(row) < silent_from:
            months.setdefault(_day(row).strftime("%Y-%m"), []).append(row)
    for name, rows in months.items():
        run.write(f"clinics/clinics_{name}.tsv", wire.delimited(rows, delimiter="\t"), len(rows))
    run.plant(Fault("clinics/", "silent", _SILENT_DAYS, "the stale alert of sim_clinics fires"))


def _day(row: Record) -> date:
    day, month, year = str(row["day"]).split("/")
    return date(int(year), int(month), int(day))


def _months_before(end: date, count: int) -> list[str]:
    """Return the `count` whole months before `end`, oldest first, as 2025-07."""
    first = end.year * 12 + end.month - 1
    return [f"{(first - back) // 12:04d}-{(first - back) % 12 + 1:02d}" for back in range(count, 0, -1)]

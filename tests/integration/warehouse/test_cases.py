"""The published difficulties from their files to marts and alerts: what each case.md says beyond mapping.

All cases share one warehouse and one build; tests/unit/mapping/test_cases.py maps each of them by itself.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from caregrid import gates, loading
from caregrid.alerts import evaluate
from caregrid.alerts.feed_conditions import stale_feed
from caregrid.alerts.rules import load_rules
from caregrid.database.connect import connect
from caregrid.feeds import load_feed
from caregrid.loading.ingest import IngestFailedError
from caregrid.moment import Moments
from caregrid.paths import ROOT, feeds_base
from caregrid.warehouse import build
from caregrid.warehouse.registry import register_feeds

CASES = feeds_base().parent / "cases"
FEEDS = ROOT / "tests" / "data" / "cases"
pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(not CASES.is_dir(), reason="the cases are not beside the mirror of the feeds"),
]

Rows = Callable[..., list[tuple[Any, ...]]]
AT_ONCE = (
    "case_03_percent", "case_04_newline", "case_09_dates", "case_11_over_capacity", "case_14_fall_back",
    "case_15_dhis2", "case_16_epiweeks", "case_17_local", "case_17_utc", "case_21_districts", "case_22_panel",
    "case_23_same_key",
)  # fmt: skip


@dataclass
class Published:
    """What the runs of the cases said. refused: load → why the gate refused it."""

    directory: Path
    failures: dict[str, list[str]] = field(default_factory=dict)
    loads: dict[str, list[int]] = field(default_factory=dict)
    refused: dict[int, str] = field(default_factory=dict)

    def ingest(self, feed: Path, run: str) -> list[int]:
        """Run a feed and have the gate decide; `run` names what came of it."""
        try:
            summary = loading.ingest(feed)
        except IngestFailedError as error:
            summary = error.summary
            self.failures[run] = summary["failures"]
        self.loads[run] = summary["load_ids"]
        self.refused |= gates.gate_staged(self.loads[run]).refused if self.loads[run] else {}
        return self.loads[run]


def feed_file(directory: Path, name: str, like: str, changes: dict[str, str] | None = None) -> Path:
    """Write a feed of its own name that is another one but for a few words."""
    text = (FEEDS / f"{like}.yml").read_text(encoding="utf-8").replace(f"feed: {like}\n", f"feed: {name}\n")
    for old, new in (changes or {}).items():
        assert old in text
        text = text.replace(old, new)
    path = directory / f"{name}.yml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def published(warehouse_module: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Published]:
    directory = tmp_path_factory.mktemp("cases")
    for case in CASES.iterdir():
        if case.is_dir():
            shutil.copytree(case, directory / case.name)
    heading, *lines = (CASES / "23-same-key-two-values" / "beds.csv").read_text(encoding="utf-8").splitlines()
    (directory / "23-reversed").mkdir()
    (directory / "23-reversed" / "beds.csv").write_text(
        "\n".join([heading, *reversed(lines)]) + "\n", encoding="utf-8"
    )
    days = directory / "12-nothing-came"
    (directory / "kept").mkdir()
    for file in days.glob("day*.csv"):
        file.rename(directory / "kept" / file.name)
    found = Published(directory)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CAREGRID_FEEDS_BASE", str(directory))
        for name in AT_ONCE:
            found.ingest(FEEDS / f"{name}.yml", name)
        for name, changes in {
            "case_23_reversed": {"23-same-key-two-values/": "23-reversed/"},
            "case_23_last": {"    values:": "    on_conflict: last\n    values:"},
            "case_23_sum": {"    values:": "    on_conflict: sum\n    values:", "snapshot": "count"},
        }.items():
            found.ingest(feed_file(directory, name, "case_23_same_key", changes), name)
        for number in range(1, 7):
            # An address that is answered anew each day: yesterday's answer is not there any more.
            for file in days.glob("day*.csv"):
                file.unlink()
            shutil.copy(directory / "kept" / f"day{number}.csv", days)
            found.ingest(FEEDS / "case_12_nothing_came.yml", f"day{number}")
        # Five of nine records are in conflict, which the gate lets pass no sooner than a person does.
        loading.accept(
            found.loads["case_23_same_key"] + found.loads["case_23_reversed"], "conflicts are known"
        )
        register = feed_file(directory, "case_07", "case_07_old")
        found.ingest(register, "old mapping")
        feed_file(directory, "case_07", "case_07_new")
        again = list(loading.replay(register)["replaced"])
        found.refused |= gates.gate_staged(again).refused
        found.loads["new mapping"] = again
        register_feeds([load_feed(FEEDS / f"{name}.yml") for name in (*AT_ONCE, "case_12_nothing_came")])
        built = build()
        assert built.status == "published", built.reason
        yield found


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc, arg-type]


@dataclass(frozen=True)
class Account:
    received: int
    loaded: int = 0
    partly: int = 0
    rejected: int = 0
    duplicate: int = 0
    held: int = 0


@pytest.fixture
def account(published: Published, rows_of: Rows) -> Callable[[str], Account]:
    """Return what became of the records of the accepted loads of a feed; all of them are accounted for."""

    def of(feed: str) -> Account:
        found = rows_of(
            "select records_are_conserved, received_records, loaded_records, partly_rejected_records, "
            "rejected_records, duplicate_records, held_records, unchanged_records + filtered_records "
            "from marts.data_health_conservation where feed = %s and status = 'accepted'", feed,
        )  # fmt: skip
        assert all(row[0] and row[7] == 0 for row in found), found
        return Account(*(sum(row[number] for row in found) for number in range(1, 7)))

    return of


def rejects(rows_of: Rows, feed: str) -> dict[int, list[str]]:
    """Return the codes of the reasons by line."""
    found = rows_of("select line, reasons from core.fct_rejected where feed = %s order by line", feed)
    return {line: [reason["code"] for reason in reasons] for line, reasons in found}


def known(rows_of: Rows, feed: str, measure: str, *columns: str) -> list[tuple[Any, ...]]:
    """Return code, start and value of the current facts of a measure, and further columns."""
    more = "".join(f", {column}" for column in columns)
    return rows_of(
        f"select place.code, usage.period_start, usage.value{more} from core.fct_usage as usage "
        "join core.dim_series as series using (series_id) join core.dim_place as place using (place_id) "
        "where series.feed = %s and series.measure = %s and usage.is_current order by 1, 2, 3", feed, measure,
    )  # fmt: skip


def gaps(rows_of: Rows, feed: str, code: str) -> list[tuple[Any, ...]]:
    return rows_of(
        "select gap.gap_start, gap.gap_end, gap.missing_periods from core.fct_gap as gap "
        "join core.dim_series as series using (series_id) join core.dim_place as place using (place_id) "
        "where series.feed = %s and place.code = %s order by 1", feed, code,
    )  # fmt: skip


def test_03_a_record_of_which_one_figure_is_malformed_is_partly_rejected(
    account: Callable[[str], Account], rows_of: Rows
) -> None:
    assert account("case_03_percent") == Account(4, loaded=3, partly=1)
    assert rejects(rows_of, "case_03_percent") == {5: ["not_a_number"]}
    assert [row[2] for row in known(rows_of, "case_03_percent", "present")] == [2155, 1987, 12, 912]


def test_04_two_of_three_records_are_described(account: Callable[[str], Account], rows_of: Rows) -> None:
    assert account("case_04_newline") == Account(3, loaded=2, rejected=1)
    assert list(rejects(rows_of, "case_04_newline")) == [5]
    described = rows_of(
        "select code, name, address, phone, latitude from core.dim_facility where id_system = "
        "'case_04' order by 1"
    )
    assert [row[0] for row in described] == ["F-1", "F-3"]
    assert described[0][1] == 'St Mary "Old" Hospital'
    assert described[0][2].count("\n") == 2
    assert described[1][2:] == ("Unit 9,\r\nNine Elms", "0200000003", 51.48)


def test_07_the_second_day_waits_and_the_corrected_mapping_continues_every_series(
    published: Published, account: Callable[[str], Account], rows_of: Rows
) -> None:
    (failure,) = published.failures["old mapping"]
    for word in ("covid_beatmet", "covid_invasiv_beatmet", "ERWACHSENE"):
        assert word in failure
    assert len(published.loads["old mapping"]) == 1
    assert len(published.loads["new mapping"]) == 2
    assert account("case_07") == Account(6, loaded=6)
    points = rows_of(
        "select series_id, dimensions ->> 'treatment_group', count(*) from core.fct_usage "
        "join core.dim_series using (series_id) where feed = 'case_07' and value is not null group by 1, 2"
    )
    assert [count for _, _, count in points] == [2] * 9
    assert {group for _, group, _ in points} == {"adults", "children"}
    free = known(rows_of, "case_07", "free", "series.dimensions ->> 'treatment_group'")
    assert [(code, value, group) for code, _, value, group in free] == [
        ("09162", 9, "adults"), ("09162", 8, "adults"), ("16063", 2, "children"), ("16063", 4, "adults"),
        ("16063", 2, "children"), ("16063", 3, "adults"),
    ]  # fmt: skip


def test_09_nothing_of_a_day_is_visible_before_it_began(
    account: Callable[[str], Account], rows_of: Rows
) -> None:
    assert account("case_09_dates") == Account(6, loaded=3, rejected=3)
    codes = {5: ["unparseable_time"], 6: ["known_before_period"], 7: ["unparseable_time"]}
    assert rejects(rows_of, "case_09_dates") == codes
    visible = [
        start
        for _, start, _, at in known(rows_of, "case_09_dates", "occupied", "usage.known_at")
        if at < utc(2020, 4, 15)
    ]
    assert visible == [utc(2020, 4, 5), utc(2020, 4, 11), utc(2020, 4, 12)]


def test_11_what_looks_impossible_is_flagged_and_divides_nothing(
    account: Callable[[str], Account], rows_of: Rows
) -> None:
    assert account("case_11_over_capacity") == Account(4, loaded=4)
    compared = rows_of(
        "select place.name_en, occupancy.period_start_local::date::text, occupancy.usable_beds, "
        "occupancy.occupied_beds, "
        "occupancy.is_over_capacity, round(occupancy.occupancy_rate::numeric, 4)::float from ("
        "  select *, period_start at time zone 'Europe/Zurich' as period_start_local from core.fct_occupancy"
        ") as occupancy join core.dim_series as series using (series_id) join core.dim_place as "
        "place using (place_id) "
        "where series.feed = 'case_11_over_capacity' order by 2, 1"
    )
    assert compared == [
        ("Kantonsspital", "2020-12-15", 24, 22, False, 0.9167),
        ("Klinik am Park", "2020-12-15", 6, 9, True, 1.5),
        ("Kantonsspital", "2021-09-29", 0, 3, True, None),
    ]


def test_11_a_hospital_without_figures_is_there_and_is_no_zero(rows_of: Rows) -> None:
    silent = rows_of(
        "select measure, value, value_status from core.fct_usage join core.dim_series using (series_id) "
        "join core.dim_place using (place_id) where name_en = 'Kinderklinik Nord' order by 1"
    )
    assert silent == [("capacity", None, "missing"), ("occupied", None, "missing")]
    on_the_day = rows_of(
        "select count(value), count(*) from core.fct_usage join core.dim_series using (series_id) "
        "where feed = 'case_11_over_capacity' and measure = 'occupied' "
        "and period_start = %s", utc(2021, 9, 28, 22),
    )  # fmt: skip
    assert on_the_day == [(1, 2)]
    resources = rows_of(
        "select count(*) from core.dim_resource join core.dim_place using (place_id) where name_en "
        "= 'Kinderklinik Nord'"
    )
    assert resources == [(1,)]


@pytest.mark.parametrize(("day", "code"), [(2, "no_rows"), (3, "error_text"), (4, "html"), (5, "empty")])
def test_12_each_day_on_which_nothing_came_is_a_failed_run_with_its_own_reason(
    published: Published, rows_of: Rows, day: int, code: str
) -> None:
    assert published.loads[f"day{day}"] == []
    (failure,) = published.failures[f"day{day}"]
    assert failure.startswith(f"day{day}.csv: ")
    codes = rows_of(
        "select code from rejected.file join landing.file using (file_id) where uri like %s",
        f"%/day{day}.csv",
        role="owner",
    )
    assert codes == [(code,)]


def test_12_the_cut_day_is_refused_and_the_last_good_day_stays_served(
    published: Published, account: Callable[[str], Account], rows_of: Rows
) -> None:
    assert account("case_12_nothing_came") == Account(5, loaded=5)
    (cut,) = published.loads["day6"]
    in_conflict = published.loads["case_23_same_key"] + published.loads["case_23_reversed"]
    assert set(published.refused) == {cut, *in_conflict}
    assert all("rejected_share_at_most_half" in published.refused[load] for load in in_conflict)
    assert "records_to_promised_at_least" in published.refused[cut]
    assert rejects(rows_of, "case_12_nothing_came") == {4: ["ragged"]}
    held = rows_of(
        "select received_records, rejected_records, held_records from core.fct_load where load_id = %s", cut
    )
    assert held == [(3, 1, 2)]
    served = rows_of(
        "select min(observed_period_start), max(observed_period_start), sum(occupied_beds), "
        "count(*), min(age_minutes) > 0 "
        "from marts.operations_now_and_next where feed = 'case_12_nothing_came'"
    )
    assert served == [(utc(2024, 5, 1), utc(2024, 5, 1), 165, 5, True)]
    closed = rows_of("select count(*) from core.dim_place where id_system = 'case_12' and is_open is false")
    assert closed == [(0,)]


def test_12_the_feed_is_told_late_once_when_its_tolerance_is_over(published: Published) -> None:
    rule = next(rule for rule in load_rules() if rule.kind == "stale_feed")
    seen = []
    for as_of in (utc(2024, 5, 4, 1), utc(2024, 5, 4, 3), utc(2024, 5, 6)):
        with connect("action") as connection:
            seen += [
                condition.holds
                for condition in stale_feed(connection, rule, Moments(as_of), {})
                if condition.details["feed"] == "case_12_nothing_came"
            ]
    assert seen == [False, True, True]


def test_14_the_hour_that_comes_twice_and_the_gap_beside_it(
    account: Callable[[str], Account], rows_of: Rows
) -> None:
    assert account("case_14_fall_back") == Account(11, loaded=10, rejected=1)
    assert rejects(rows_of, "case_14_fall_back") == {11: ["nonexistent_time"]}
    assert gaps(rows_of, "case_14_fall_back", "ED2") == [(utc(2024, 11, 3, 6), utc(2024, 11, 3, 7), 1)]
    # Nothing is missing among the hours of either day; what lies between the days is.
    (between,) = gaps(rows_of, "case_14_fall_back", "ED1")
    assert between[:2] == (utc(2024, 3, 10, 8), utc(2024, 11, 3, 4))
    assert between[2] == (between[1] - between[0]) / timedelta(hours=1)
    ambiguous = known(rows_of, "case_14_fall_back", "waiting", "usage.time_is_ambiguous")
    assert [(code, start) for code, start, _, marked in ambiguous if marked] == [("ED2", utc(2024, 11, 3, 5))]


def test_15_each_kind_of_week_is_a_series_and_no_week_is_summed_with_a_month(
    account: Callable[[str], Account], rows_of: Rows
) -> None:
    assert account("case_15_dhis2") == Account(11, loaded=9, rejected=2)
    series = rows_of(
        "select grain, week_ends_on, count(*), sum(value) from core.fct_usage join core.dim_series "
        "using (series_id) "
        "where feed = 'case_15_dhis2' group by 1, 2 order by 1, 2"
    )
    assert series == [
        ("month", None, 1, 52), ("week", 2, 1, 20), ("week", 3, 1, 19), ("week", 5, 1, 18),
        ("week", 6, 1, 17),
        ("week", 7, 4, 50),
    ]  # fmt: skip
    months = rows_of(
        "select period_start, uses from marts.planning_utilisation where feed = 'case_15_dhis2' and "
        "source_grain = 'month'"
    )
    assert [(start.isoformat(), uses) for start, uses in months] == [("2020-01-01", 52)]


def test_16_no_week_is_missing_or_double_where_the_year_ends(
    account: Callable[[str], Account], rows_of: Rows
) -> None:
    assert account("case_16_epiweeks") == Account(8, loaded=6, rejected=2)
    holes = [
        ((start - timedelta(hours=5)).date().isoformat(), weeks)
        for start, _, weeks in gaps(rows_of, "case_16_epiweeks", "US")
    ]
    # After 201453, and after 202101: never between 202052, 202053 and 202101.
    assert [start for start, _ in holes] == ["2015-01-04", "2021-01-10"]


def test_17_wall_clock_and_utc(account: Callable[[str], Account], rows_of: Rows) -> None:
    assert account("case_17_local") == Account(5, loaded=5)
    assert account("case_17_utc") == Account(5, loaded=4, rejected=1)
    assert rejects(rows_of, "case_17_utc") == {5: ["disagrees"]}


def test_21_districts_add_up_without_the_total_which_is_checked(
    account: Callable[[str], Account], rows_of: Rows
) -> None:
    assert account("case_21_districts") == Account(9, loaded=9)
    nation = rows_of(
        "select period_start, sum(value)::int from core.fct_usage join core.dim_series using (series_id) "
        "where feed = 'case_21_districts' and is_summed and is_current group by 1 order by 1"
    )
    assert [total for _, total in nation] == [148, 149]
    checked = rows_of(
        "select published_total, sum_of_parts, parts, abs(difference), agrees from "
        "marts.data_health_total_check "
        "where feed = 'case_21_districts' order by period_start"
    )
    assert checked == [(120, 118, 2, 2, False), (118, 118, 2, 0, True)]


def test_21_a_district_that_ended_keeps_its_history_and_is_not_missed(rows_of: Rows) -> None:
    assert [row[2] for row in known(rows_of, "case_21_districts", "occupied") if row[0] == "16056"] == [9]
    ended = rows_of(
        "select place.is_open, coverage.expected_reports, coverage.arrived_reports, coverage.silent_periods "
        "from marts.data_health_coverage as coverage join core.dim_place as place using (place_id) "
        "where coverage.feed = 'case_21_districts' and place.code in ('16056', '16063') order by place.code"
    )
    assert ended == [(False, 1, 1, 0), (True, 2, 2, 0)]
    of_today = rows_of(
        "select usage.period_start, sum(usage.value)::int from core.fct_usage as usage "
        "join core.dim_series as series using (series_id) join canonical.place as place using (place_id) "
        "where series.feed = 'case_21_districts' and (place.code = '16063' or place.code in ("
        "  select value from canonical.facility_identifier join canonical.place as now using (place_id) "
        "  where system = 'ags' and now.code = '16063')) group by 1 order by 1", role="dbt",
    )  # fmt: skip
    assert [total for _, total in of_today] == [30, 31]


def test_22_a_panel_that_shrinks_is_no_demand(account: Callable[[str], Account], rows_of: Rows) -> None:
    assert account("case_22_panel") == Account(5, loaded=5)
    panel = known(rows_of, "case_22_panel", "occupied", "usage.reporting_units")
    per_unit = [round(value / units, 2) for _, _, value, units in panel]
    assert per_unit == [84.0, 83.5, 83.5, 82.67, 85.15]


RULE = """
rules:
  - rule: panel_is_full
    kind: observed
    name: {en: "Panel full", zh: "满床"}
    severity: warning
    measure: occupied
    place_levels: [panel]
    feeds: [case_22_by_week]
    above: 8000
    newest_within: P14D
"""


def test_22_an_alert_does_not_resolve_because_fewer_hospitals_report(
    published: Published, tmp_path: Path
) -> None:
    (tmp_path / "rules.yml").write_text(RULE, encoding="utf-8")
    inbox = published.directory / "22-by-week"
    inbox.mkdir()
    changes = {"22-fewer-hospitals-report/panel.csv": "22-by-week/*.csv"}
    feed = feed_file(published.directory, "case_22_by_week", "case_22_panel", changes)
    heading, *weeks = (
        (CASES / "22-fewer-hospitals-report" / "panel.csv").read_text(encoding="utf-8").splitlines()
    )
    assert [week.split(",")[0] for week in weeks[1:3]] == ["2024-04-27", "2024-05-04"]

    def after(*weeks: str, as_of: datetime) -> tuple[dict[str, int], dict[str, int]]:
        (inbox / f"{as_of.date()}.csv").write_text("\n".join([heading, *weeks]) + "\n", encoding="utf-8")
        loading.accept(loading.ingest(feed)["load_ids"])
        found = evaluate(as_of, rules_dir=tmp_path)
        assert found.broken == {}
        return found.firing, found.resolved

    assert after(*weeks[:2], as_of=utc(2024, 5, 2, 6)) == ({"panel_is_full": 1}, {})
    assert after(weeks[2], as_of=utc(2024, 5, 9, 6)) == ({"panel_is_full": 1}, {})
    # Fewer patients in the same hospitals are fewer patients.
    assert after("2024-05-11,ZZ,4700,60", as_of=utc(2024, 5, 16, 6)) == ({}, {"panel_is_full": 1})


def test_no_case_raises_an_alert_about_demand(published: Published) -> None:
    """Each case is looked at just after its newest value was known, by the rules as they are shipped."""
    rules = {rule.rule for rule in load_rules() if rule.kind in ("observed", "forecast", "risk")}
    assert rules
    fired: dict[str, int] = {}
    for as_of in (utc(2021, 7, 3, 1), utc(2024, 5, 9, 5), utc(2024, 11, 14, 5)):
        found = evaluate(as_of)
        assert found.broken == {}
        fired |= {rule: count for rule, count in found.fired.items() if rule in rules}
    assert fired == {}


def test_23_conflicts_name_all_their_lines_and_duplicates_count_once(
    account: Callable[[str], Account], rows_of: Rows
) -> None:
    assert account("case_23_same_key") == Account(9, loaded=2, duplicate=2, rejected=5)
    loaded = [(code, value) for code, _, value in known(rows_of, "case_23_same_key", "capacity")]
    assert loaded == [("H1", 40), ("H3", 10)]
    reasons = rows_of(
        "select line, reasons -> 0 ->> 'message' from core.fct_rejected where feed = "
        "'case_23_same_key' order by 1"
    )
    assert [(line, message.rpartition(" lines ")[2]) for line, message in reasons] == [
        (4, "4, 5"), (5, "4, 5"), (8, "8, 9, 10"), (9, "8, 9, 10"), (10, "8, 9, 10"),
    ]  # fmt: skip


def test_23_the_order_of_the_rows_changes_nothing_and_the_feed_may_say_what_repeats_mean(
    account: Callable[[str], Account], rows_of: Rows
) -> None:
    assert account("case_23_reversed") == account("case_23_same_key")

    def loaded(feed: str) -> dict[str, float]:
        return {code: value for code, _, value in known(rows_of, feed, "capacity")}

    assert loaded("case_23_reversed") == {"H1": 40, "H3": 10}
    assert loaded("case_23_last") == {"H1": 40, "H2": 25, "H3": 10, "H4": 6}
    # What stands twice in the same words is one part; what is equal only after mapping is two.
    assert loaded("case_23_sum") == {"H1": 40, "H2": 47, "H3": 20, "H4": 11}

"""Hard input through the real loader, each under its own feed: a reason for all that is refused, the rest goes on."""

# ruff: noqa: E501 - a case is one line where it can be

from __future__ import annotations

import gzip
import io
import zipfile
from dataclasses import dataclass, field
from typing import Any

import pytest
from caregrid import loading
from caregrid.feeds import check_file

pytestmark = pytest.mark.integration

FEED = """
feed: {name}
name: {{en: "Hard input", zh: "困难输入"}}
owner: {{id: test_network, name: "Test network"}}
visibility: network
country: DE
timezone: {zone}
schedule: null
expected_every: P1D
lateness_tolerance: PT6H
licence: "made up"
provenance: "made by the test"
sources:
  beds:
    path: "hard_*"
    {member}
    format: {form}
    published_at: {{file_name: '(\\d{{4}}-\\d{{2}}-\\d{{2}})', format: "%Y-%m-%d"}}
    known_at: {known_at}
outputs:
  - name: beds
    contract: usage
    source: beds
    place: {{level: facility, system: hard_site, code: "{code}", name: {{column: name, optional: true}}}}
    period: {period}
    service_or_resource: bed_general
    values:
      - {{column: "{occupied}", measure: occupied, statistic: snapshot}}
      - {{column: "{capacity}", measure: capacity, statistic: snapshot}}
"""
PLAIN = {
    "zone": "Europe/Berlin", "member": "", "form": "{type: csv}", "known_at": "{published_at: true}", "code": "site",
    "period": '{column: day, format: "%Y-%m-%d", grain: day}', "occupied": "occupied", "capacity": "capacity",
}  # fmt: skip
HEADING = "site,name,day,occupied,capacity\n"
GOOD = HEADING + "Z,Zeta,2025-03-01,1,2\n"


@dataclass(frozen=True)
class Hard:
    """One input. refused: what its rejected file's reason says; else the account and the rejects of its load.

    account: received, kept, partly rejected, rejected, duplicate records. rejects: (line, code).
    values: (code, measure) → what is loaded; None stands for no value.
    """

    content: bytes
    feed: dict[str, str] = field(default_factory=dict)
    refused: str = ""
    account: tuple[int, int, int, int, int] = (0, 0, 0, 0, 0)
    rejects: tuple[tuple[int, str], ...] = ()
    values: dict[tuple[str, str], float | None] = field(default_factory=dict)
    good: bytes = GOOD.encode()


def rows(*lines: str, heading: str = HEADING) -> bytes:
    return (heading + "".join(f"{line}\n" for line in lines)).encode()


def packed(**members: bytes) -> bytes:
    """Return a zip archive; a member's name is its key with | for what a name of Python cannot hold."""
    room = io.BytesIO()
    with zipfile.ZipFile(room, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return room.getvalue()


A = "A,Alpha,2025-03-01,10,20"
ONE = {("A", "occupied"): 10.0, ("A", "capacity"): 20.0}
WIDE = [f"c{number}" for number in range(10_000)]
HOURS = {
    "zone": "Europe/Berlin",
    "period": '{column: day, format: "%Y-%m-%d %H:%M", grain: hour, ambiguous: in_order, nonexistent: reject}',
    "known_at": "{published_at: true}",
}
WEEKS = {"period": "{column: day, format: iso_week, grain: week}"}
HARD: dict[str, Hard] = {
    # Bytes
    "gzip_cut": Hard(gzip.compress(rows(A) * 50)[:-9], refused="damaged or cut"),
    "wrong_encoding": Hard(rows("A,Köln,2025-03-01,10,20").decode().encode("cp1252"), refused="line 2: byte F6 is not utf-8"),
    "wrong_encoding_east": Hard(rows("A,人民医院,2025-03-01,10,20").decode().encode("gb18030"), refused="gb18030"),
    "nul_bytes": Hard(rows("A,Al\x00pha,2025-03-01,10,20"), refused="line 2: control character U+0000"),
    "empty": Hard(b"", refused="holds nothing"),
    "heading_only": Hard(HEADING.encode(), refused="no record"),
    "html": Hard(b"<!DOCTYPE html><html><body>503</body></html>\n", refused="a web page came"),
    "error_text": Hard(b"ERROR: session expired, log in again\n", refused="no column of this feed"),
    "zip_bomb": Hard(packed(**{"a.csv": HEADING.encode() + (b"0" * 1_000_000 + b"\n") * 280}), refused="times its size"),
    "zip_of_zip": Hard(packed(**{"a.zip": packed(**{"a.csv": rows(A)})}), refused="within another"),
    "member_outside": Hard(packed(**{"../../etc/beds.csv": rows(A)}), refused="outside of the archive"),
    "member_absolute": Hard(packed(**{"C:\\beds.csv": rows(A)}), refused="outside of the archive"),
    "byte_order_mark": Hard(b"\xef\xbb\xbf" + rows(A), account=(1, 1, 0, 0, 0), values=ONE),
    "crlf": Hard(rows(A, "B,Beta,2025-03-01,x,1").replace(b"\n", b"\r\n"), account=(2, 1, 1, 0, 0), rejects=((3, "not_a_number"),), values={**ONE, ("B", "capacity"): 1.0}),
    "quotes_and_breaks": Hard(
        rows('A,"Alpha ""St. Ann""\nWard, 2",2025-03-01,10,20', 'B,"Be""ta",2025-03-01,many,5', 'C,"Gam"ma",2025-03-01,1,2', "D,Delta,2025-03-01,3,4"),
        account=(4, 2, 1, 1, 0), rejects=((4, "not_a_number"), (5, "malformed_quotes")),
        values={**ONE, ("B", "capacity"): 5.0, ("D", "occupied"): 3.0, ("D", "capacity"): 4.0},
    ),
    # Columns
    "column_gone": Hard(rows("A,Alpha,2025-03-01,10", heading="site,name,day,occupied\n"), refused="capacity"),
    "column_renamed": Hard(rows(A, heading="site,name,day,beds_taken,capacity\n"), refused="beds_taken"),
    "column_added": Hard(rows(A + ",9", heading="site,name,day,occupied,capacity,new\n"), account=(1, 1, 0, 0, 0), values=ONE),
    "column_twice": Hard(rows(A + ",9", heading="site,name,day,occupied,capacity,occupied\n"), refused="'occupied' stands twice"),
    "columns_moved": Hard(rows("20,10,2025-03-01,A,Alpha", heading="capacity,occupied,day,site,name\n"), account=(1, 1, 0, 0, 0), values=ONE),
    "columns_10000": Hard(
        rows(A + "," + ",".join(["7"] * 10_000), A, heading=HEADING.strip() + "," + ",".join(WIDE) + "\n"),
        account=(2, 1, 0, 1, 0), rejects=((3, "ragged"),), values=ONE,
    ),
    "two_row_heading": Hard(
        b"place,,date,beds,\nsite,name,day,occupied,capacity\nA,Alpha,2025-03-01,10,20\n",
        feed={"form": "{type: csv, skip_rows: 2, header: [site, name, day, beds occupied, beds capacity]}", "occupied": "beds occupied", "capacity": "beds capacity"},
        account=(1, 1, 0, 0, 0), values=ONE, good=b"place,,date,beds,\n" + GOOD.encode(),
    ),
    "one_row_where_two_are_declared": Hard(
        rows(A, "B,Beta,2025-03-01,1,2"), feed={"form": "{type: csv, skip_rows: 1}"}, refused="site", good=b"report of March\n" + GOOD.encode()
    ),
    # Records
    "duplicate_keys": Hard(rows(A, A, "A,Alpha,2025-03-01,10.0,20.0"), account=(3, 1, 0, 0, 2), values=ONE),
    "same_key_other_value": Hard(
        rows(A, "B,,2025-03-01,1,9", "B,,2025-03-01,2,9"), account=(3, 1, 1, 1, 0), rejects=((3, "conflict"), (4, "conflict")),
        values={**ONE, ("B", "capacity"): 9.0},
    ),
    "negative_beds": Hard(rows(A, "B,,2025-03-01,-3,9"), account=(2, 1, 1, 0, 0), rejects=((3, "negative"),), values={**ONE, ("B", "capacity"): 9.0}),
    "over_capacity": Hard(rows("A,,2025-03-01,30,20", "B,,2025-03-01,1,0"), account=(2, 2, 0, 0, 0), values={("A", "occupied"): 30.0, ("A", "capacity"): 20.0, ("B", "occupied"): 1.0, ("B", "capacity"): 0.0}),
    "dates_of_three_locales": Hard(
        rows("A,,01.03.2025,10,20", "B,,03/01/2025,1,2", "C,,2025-03-01,3,4", "D,,1 mars 2025,5,6", "E,,30.02.2025,7,8"),
        feed={"period": '{column: day, format: ["%Y-%m-%d", "%d.%m.%Y", "%m/%d/%Y"], grain: day}'},
        account=(5, 3, 0, 2, 0), rejects=((5, "unparseable_time"), (6, "unparseable_time")),
        values={**ONE, ("B", "occupied"): 1.0, ("B", "capacity"): 2.0, ("C", "occupied"): 3.0, ("C", "capacity"): 4.0},
    ),
    "week_53": Hard(
        rows("A,,2020-W53,10,20", "B,,2021-W53,1,2"), feed=WEEKS, account=(2, 1, 0, 1, 0), rejects=((3, "unparseable_time"),), values=ONE,
        good=rows("Z,Zeta,2025-W08,1,2"),
    ),
    "clocks_go_back": Hard(
        rows("A,,2024-10-27 01:00,1,9", "A,,2024-10-27 02:00,2,9", "A,,2024-10-27 02:00,3,9", "A,,2024-10-27 03:00,4,9"), feed=HOURS,
        account=(4, 4, 0, 0, 0), good=rows("Z,Zeta,2025-03-01 04:00,1,2"),
        values={("A", "occupied"): 4.0, ("A", "capacity"): 9.0},
    ),
    "clocks_go_forward": Hard(
        rows("A,,2024-03-31 01:00,1,9", "A,,2024-03-31 02:00,2,9", "A,,2024-03-31 03:00,3,9"), feed=HOURS,
        account=(3, 2, 0, 1, 0), rejects=((3, "nonexistent_time"),), good=rows("Z,Zeta,2025-03-01 04:00,1,2"),
        values={("A", "occupied"): 3.0, ("A", "capacity"): 9.0},
    ),
    "names_that_are_programs": Hard(
        rows("A,=HYPERLINK(0),2025-03-01,10,20", "B,<script>alert(1)</script>,2025-03-01,1,2", "C,'; drop table raw.load; --,2025-03-01,3,4"),
        account=(3, 3, 0, 0, 0),
        values={**ONE, ("B", "occupied"): 1.0, ("B", "capacity"): 2.0, ("C", "occupied"): 3.0, ("C", "capacity"): 4.0},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", HARD)
def test_hard_input_ends_in_a_reason_and_the_rest_goes_on(next_publisher: Any, name: str) -> None:
    case = HARD[name]
    feed = next_publisher.feed.with_name(f"{name}.yml")
    feed.write_text(FEED.format(name=name, **{**PLAIN, **case.feed}), encoding="utf-8")
    assert check_file(feed) == []
    (next_publisher.base / "hard_2025-03-02").write_bytes(case.content)
    (next_publisher.base / "hard_2025-03-03").write_bytes(
        case.good
    )  # what comes after it is loaded all the same
    if case.refused:
        with pytest.raises(loading.IngestFailedError, match="hard_2025-03-02") as failed:
            loading.ingest(feed)
        summary = failed.value.summary
        assert (summary["files_failed"], summary["loads_staged"]) == (1, 1)
        ((reason, size),) = next_publisher.query(
            "select reason, byte_size from rejected.file join landing.file using (file_id)"
        )
        assert case.refused in reason
        assert size == len(case.content)
    else:
        summary = loading.ingest(feed)
        assert (summary["files_failed"], summary["loads_staged"]) == (0, 2)
    accounts = {
        day: next_publisher.account(load_id)
        for load_id, day in next_publisher.query(
            "select load_id, right(uri, 10) from raw.load join landing.file using (file_id)"
        )
    }
    other = accounts.pop("2025-03-03")
    assert (other.received, other.kept) == (1, 1)
    if case.refused:
        assert accounts == {}
        return
    (account,) = accounts.values()
    counted = (account.received, account.kept, account.partly_rejected, account.rejected, account.duplicate)
    assert counted == case.account
    rejects = next_publisher.query(
        "select distinct line, reasons->0->>'code' from rejected.record order by 1"
    )
    assert tuple(rejects) == case.rejects
    loading.accept(summary["load_ids"])
    newest = {(row[0], row[1]): row[4] for row in next_publisher.latest() if row[0] != "Z"}
    assert newest == case.values


def test_both_hours_of_the_night_the_clocks_go_back_are_kept(next_publisher: Any) -> None:
    case = HARD["clocks_go_back"]
    feed = next_publisher.feed.with_name("clocks_go_back.yml")
    feed.write_text(FEED.format(name="clocks_go_back", **{**PLAIN, **case.feed}), encoding="utf-8")
    (next_publisher.base / "hard_2025-03-02").write_bytes(case.content)
    loading.accept(loading.ingest(feed)["load_ids"])
    hours = [f"{row[2]:%d %H:%M}={row[4]:g}" for row in next_publisher.usage() if row[1] == "occupied"]
    assert hours == ["26 23:00=1", "27 00:00=2", "27 01:00=3", "27 02:00=4"]


def test_a_link_out_of_the_feeds_directory_is_not_followed(next_publisher: Any) -> None:
    secret = next_publisher.base.parent / "secret.csv"
    secret.write_bytes(GOOD.encode())
    (next_publisher.base / "beds_2025-03-02.csv").symlink_to(secret)
    next_publisher.publish("2025-03-03", ["A,Alpha,2025-03-01,10,20"])
    with pytest.raises(loading.IngestFailedError, match="outside the feeds' directory"):
        next_publisher.ingest()
    assert next_publisher.query("select uri from landing.file") == [("base:beds_2025-03-03.csv",)]
    assert next_publisher.query("select count(*) from raw.load") == [(1,)]


@pytest.mark.parametrize("place", ["../secret.csv", "/etc/passwd", "a/../../b.csv"])
def test_a_path_out_of_the_feeds_directory_does_not_pass_the_check(next_publisher: Any, place: str) -> None:
    next_publisher.write_feed(path=place)
    assert [problem.field for problem in check_file(next_publisher.feed)] == ["sources.beds.path"]


def test_files_out_of_order_end_in_the_same_newest_value(next_publisher: Any) -> None:
    for day, taken in (("2025-03-05", 5), ("2025-03-03", 3), ("2025-03-04", 4)):
        next_publisher.publish(day, [f"A,Alpha,2025-03-01,{taken},20"])
        next_publisher.load()
    assert [(row[1], row[4]) for row in next_publisher.latest()] == [("capacity", 20.0), ("occupied", 5.0)]

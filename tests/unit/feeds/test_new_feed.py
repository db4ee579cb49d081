"""`caregrid feeds new`: a sample in any language becomes a feed that passes the check and maps rows."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from caregrid.cli import main
from caregrid.drafts import Draft, draft
from caregrid.errors import CareGridError
from caregrid.feeds import Feed, check_file, parse_feed
from caregrid.paths import feeds_base

pytestmark = pytest.mark.unit
# ruff: noqa: E501 - samples are one line each

DAYS = [f"2024-03-{day:02}" for day in range(1, 29)]


def table(heading: str, record: str) -> str:
    """Return a text of 28 days; the record is filled with the day's parts and some figures."""
    lines = [heading]
    for number, day in enumerate(DAYS):
        year, month, date = day.split("-")
        lines.append(record.format(Y=year, m=month, d=date, n=number + 10, c=f"0{number % 3 + 1}", h=number))
    return "\n".join(lines) + "\n"


SAMPLES: dict[str, tuple[str, bytes]] = {
    "german": (
        "intensiv.csv",
        table("Datum;Krankenhaus-ID;Krankenhaus;Intensivbetten belegt;Auslastung", "{d}.{m}.{Y};{c};Köln {c};{n};{n},5").encode("cp1252"),
    ),
    "english": (
        "north_beds_2024-04-02.csv",
        table("Hospital Code,Hospital Name,Date,Beds Occupied,Beds Available", 'H{c},"St, {c}",{Y}-{m}-{d},{n},5').encode("utf-8-sig"),
    ),
    "chinese": (
        "急诊.csv",
        table("医院代码,医院名称,日期,急诊等候人数,重症床位占用", "{c},第{c}医院,{Y}年{m}月{d}日,{n},{n}").encode("gb18030"),
    ),
    "french": (
        "urgences.tsv",
        table("No_permis_etablissement\tNom_etablissement\tJour\tCivieres_occupees", "{c}\tHôpital {c}\t{d}/{m}/{Y}\t{n}").encode("utf-16"),
    ),
    "italian": (
        "regioni.csv.gz",
        gzip.compress(table("data;codice_regione;denominazione_regione;terapia_intensiva_ricoverati", "{Y}-{m}-{d}T17:00:00;{c};Lazio {c};{n}").encode()),
    ),
    "spanish": (
        "camas.ndjson",
        "".join(
            json.dumps({"fecha": day, "centro_codigo": f"C{number % 3}", "camas_ocupadas_uci": number}) + "\n"
            for number, day in enumerate(DAYS)
        ).encode(),
    ),
}  # fmt: skip


def drafted(tmp_path: Path, file: str, content: bytes, **options: Any) -> tuple[Draft, Feed]:
    """Draft a feed from bytes, and read it as the product does."""
    sample = tmp_path / file
    sample.write_bytes(content)
    made = draft(sample, **options)
    return made, parse_feed(Path(f"{made.name}.yml"), made.text)


def values(feed: Feed) -> dict[str, tuple[str, str]]:
    """Return column → what it is a figure of."""
    (output,) = [output for output in feed.outputs if output.contract == "usage"]
    return {
        value["column"]: (value["service_or_resource"], value["measure"]) for value in output.spec["values"]
    }


EXPECTED: dict[str, dict[str, tuple[str, str]]] = {
    "german": {
        "Intensivbetten belegt": ("bed_icu", "occupied"),
        "Auslastung": ("bed_icu", "occupancy"),
    },
    "english": {"Beds Occupied": ("bed", "occupied"), "Beds Available": ("bed", "free")},
    "chinese": {"急诊等候人数": ("emergency_department", "waiting"), "重症床位占用": ("bed_icu", "occupied")},
    "french": {"Civieres_occupees": ("stretcher", "occupied")},
    "italian": {"terapia_intensiva_ricoverati": ("bed_icu", "occupied")},
    "spanish": {"camas_ocupadas_uci": ("bed_icu", "occupied")},
}


@pytest.mark.parametrize("language", SAMPLES)
def test_words_of_many_languages_are_understood(language: str, tmp_path: Path) -> None:
    made, feed = drafted(tmp_path, *SAMPLES[language], name="drafted")
    assert values(feed) == EXPECTED[language]
    assert made.mapped["figures"] == 28 * len(EXPECTED[language])
    assert made.rejected["figures"] == 0


def test_format_encoding_and_numbers_are_told_from_the_bytes(tmp_path: Path) -> None:
    forms = {}
    for language, (file, content) in SAMPLES.items():
        (source,) = drafted(tmp_path, file, content, name="drafted")[1].sources.values()
        forms[language] = (
            source.format.type,
            source.format.delimiter,
            source.format.encoding,
            source.format.decimal,
        )
    assert forms == {
        "german": ("csv", ";", "cp1252", ","),
        "english": ("csv", ",", "utf-8", "."),
        "chinese": ("csv", ",", "gb18030", "."),
        "french": ("tsv", "\t", "utf-16", "."),
        "italian": ("csv", ";", "utf-8", "."),
        "spanish": ("ndjson", ",", "utf-8", "."),
    }


def test_day_and_month_are_told_apart_by_how_close_the_days_lie(tmp_path: Path) -> None:
    rows = "".join(f"H1,{day:02}/03/2024,{day}\n" for day in range(1, 13))
    made, feed = drafted(tmp_path, "beds.csv", ("hospital id,date,occupied\n" + rows).encode())
    assert feed.outputs[0].spec["period"]["format"] == "%d/%m/%Y"
    assert "day and month may be exchanged" in made.text
    rows = "".join(f"H1,03/{day:02}/2024,{day}\n" for day in range(1, 13))
    assert (
        drafted(tmp_path, "beds.csv", ("hospital id,date,occupied\n" + rows).encode())[1]
        .outputs[0]
        .spec["period"]["format"]
        == "%m/%d/%Y"
    )


def test_lines_before_a_heading_of_two_rows_are_passed_over(tmp_path: Path) -> None:
    text = "Report of the region\n\nsite,day,beds,,waiting\ncode,date,open,occupied,patients\n" + "".join(
        f"S{number % 3},{day},20,{number},{number}\n" for number, day in enumerate(DAYS)
    )
    made, feed = drafted(tmp_path, "two_rows.csv", text.encode())
    (source,) = feed.sources.values()
    assert source.format.skip_rows == 4
    assert source.format.header == ("site code", "day date", "beds open", "beds occupied", "waiting patients")
    assert {measure for _, measure in values(feed).values()} == {"capacity", "occupied", "waiting"}
    assert made.mapped["figures"] == 84


def test_a_registry_becomes_facilities(tmp_path: Path) -> None:
    text = "Facility ID,Facility Name,Address,City,ZIP,Latitude,Longitude,Phone\n" + "".join(
        f"0{number},House {number},{number} High St,Leeds,0123{number % 10},53.{number},-1.{number},0113 496 00{number}\n"
        for number in range(10, 40)
    )
    made, feed = drafted(tmp_path, "register.csv", text.encode())
    (output,) = feed.outputs
    assert output.contract == "facility"
    assert output.spec["fields"]["postal_code"] == "ZIP"
    assert made.mapped == {"places": 30}


def test_parquet_keeps_its_types(tmp_path: Path) -> None:
    path = tmp_path / "beds.parquet"
    days = pl.Series("day", DAYS).str.to_date()
    pl.DataFrame({"hospital_id": ["H1"] * 28, "day": days, "occupied": range(28)}).write_parquet(path)
    made = draft(path)
    assert made.mapped == {"figures": 28}
    assert "type: parquet" in made.text


def test_words_for_nothing_are_missing_and_small_counts_suppressed(tmp_path: Path) -> None:
    text = (
        table("hospital id,date,occupied", "{c},{Y}-{m}-{d},{n}") + "01,2024-04-01,k.A.\n02,2024-04-01,<5\n"
    )
    _, feed = drafted(tmp_path, "beds.csv", text.encode())
    (source,) = feed.sources.values()
    assert "k.A." in source.missing
    assert source.suppressed == ("<5",)


def test_a_heading_cannot_break_out_of_the_draft(tmp_path: Path) -> None:
    text = 'hospital id,date,"occupied\nfeed: other","x: {y}"\n' + "".join(f"H1,{day},4,5\n" for day in DAYS)
    made, feed = drafted(tmp_path, "beds.csv", text.encode())
    assert feed.name == "beds"
    assert made.mapped["figures"] == 28


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"patient id,admission date,ward\n1,2024-01-01,A\n", "single patients"),
        (b"", "holds nothing"),
        (b"<!DOCTYPE html><html><body>503</body></html>", "web page"),
        (b"id,day\n", "no record"),
        (b"remark\nnothing to see\n", "no column"),
    ],
)
def test_what_cannot_be_a_feed_is_refused_in_words(content: bytes, words: str, tmp_path: Path) -> None:
    sample = tmp_path / "sample.csv"
    sample.write_bytes(content)
    with pytest.raises(CareGridError, match=words):
        draft(sample)


def test_the_command_writes_once_and_never_over_a_feed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sample = tmp_path / "north_beds_2024-04-02.csv"
    sample.write_bytes(SAMPLES["english"][1])
    typed = ["feeds", "new", "--sample", str(sample), "--to", str(tmp_path)]
    assert main(typed) == 0
    written = tmp_path / "north_beds.yml"
    assert "56 rows map" in capsys.readouterr().out
    assert check_file(written) == []
    assert main(["feeds", "try", str(written), "--file", str(sample)]) == 0
    before = written.read_bytes()
    assert main(typed) != 0
    assert written.read_bytes() == before
    assert main([*typed, "--name", "north beds"]) != 0
    assert main([*typed, "--name", "north_again"]) == 0


def test_a_draft_passes_with_a_remark_and_must_say_all_once_nothing_asks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sample = tmp_path / "beds.csv"
    sample.write_bytes(SAMPLES["english"][1])
    assert main(["feeds", "new", "--sample", str(sample), "--to", str(tmp_path)]) == 0
    asked = int(capsys.readouterr().out.split("read its ")[1].split()[0])
    written = tmp_path / "beds.yml"
    assert main(["feeds", "check", str(written)]) == 0
    assert f"remark: {asked} lines still say CONFIRM" in capsys.readouterr().out
    lines = written.read_text().splitlines()
    confirmed = [line for line in lines if not line.strip().startswith("# CONFIRM")]
    assert len(lines) - len(confirmed) == asked
    written.write_text("\n".join([*confirmed, ""]))
    assert {problem.field for problem in check_file(written)} == {"country", "owner.id"}
    known = written.read_text().replace("country: XX", "country: GB").replace("id: unknown", "id: north")
    written.write_text(known)
    assert main(["feeds", "check", str(written)]) == 0
    assert "remark" not in capsys.readouterr().out


MIRROR = feeds_base()
READABLE = (".csv", ".tsv", ".json", ".jsonl", ".geojson", ".csv.gz", ".jsonl.gz", ".geojson.gz")


def mirror_samples() -> list[Path]:
    """Return one file of every layout in the mirror: of files that differ by their date alone, the first."""
    layouts: dict[str, Path] = {}
    for path in sorted(MIRROR.rglob("*")):
        if path.is_file() and path.name.endswith(READABLE):
            layouts.setdefault("".join("#" if mark.isdigit() else mark for mark in str(path)), path)
    return list(layouts.values())


@pytest.mark.skipif(not (MIRROR / "README.md").is_file(), reason="there is no mirror of the feeds")
def test_four_in_five_of_the_mirrors_layouts_become_a_feed() -> None:
    samples, made, refused = mirror_samples(), [], []
    for sample in samples:
        try:
            made.append(draft(sample))  # checked and tried within
        except CareGridError as error:
            refused.append(f"{sample.name}: {error}")
    assert len(samples) > 50
    assert len(made) >= 0.8 * len(samples), "\n".join(refused)
    assert all(sum(one.mapped.values()) for one in made)

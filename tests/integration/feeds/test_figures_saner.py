"""Figures of the SANER reports, mapped, against the resources read by the standard library alone."""

from __future__ import annotations

import json
import tarfile
from collections import Counter
from collections.abc import Callable
from functools import cache
from typing import Any

import polars as pl
import pytest
from caregrid.paths import feeds_base

MIRROR = feeds_base()
FILE = "fhir_saner_measure_reports/resources.tar.gz"
OTHER = "fhir_saner_measure_reports/organization_location.tar.gz"
pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(not (MIRROR / FILE).is_file(), reason=f"no mirror of the feeds in {MIRROR}"),
]
BEDS = {
    "numTotBeds": ("bed", "capacity", "inpatient_and_outpatient"),
    "numbeds": ("bed", "capacity", None),
    "numBedsOcc": ("bed", "occupied", None),
    "numICUBeds": ("bed_icu", "staffed_capacity", None),
    "numICUBedsOcc": ("bed_icu", "occupied", None),
    "numVent": ("ventilator", "capacity", None),
    "numVentUse": ("ventilator", "occupied", None),
}


@cache
def resources(file: str = FILE) -> list[dict[str, Any]]:
    with tarfile.open(MIRROR / file) as archive:
        return [json.load(archive.extractfile(member)) for member in archive if member.isfile()]  # type: ignore[arg-type]


def counts() -> dict[tuple[str, str, str], int | None]:
    """Return (hospital, day, code) → count, straight from the reports."""
    found = {}
    for report in resources():
        if report["resourceType"] != "MeasureReport":
            continue
        hospital = report["subject"]["identifier"]["value"]
        for group in report["group"]:
            for population in group["population"]:
                key = (hospital, report["period"]["start"], population["code"]["coding"][0]["code"])
                assert key not in found
                found[key] = population.get("count")
    return found


def told(rows: pl.DataFrame, **wanted: Any) -> dict[tuple[str, str], float | None]:
    """Return (hospital, day) → value of the rows of one kind."""
    dimensions = wanted.pop("dimensions")
    of_kind = [text for text in rows["dimensions"].unique() if json.loads(text) == dimensions]
    kept = rows.filter(
        pl.col("dimensions").is_in(of_kind), *(pl.col(name) == text for name, text in wanted.items())
    )
    days = kept["period_start"].dt.convert_time_zone("America/Chicago").dt.strftime("%Y-%m-%d")
    found = dict(zip(zip(kept["code"], days, strict=True), kept["value"], strict=True))
    assert len(found) == kept.height
    return found


def test_every_count_of_beds_and_ventilators_is_the_one_in_the_report(
    mapped_file: Callable[..., Any],
) -> None:
    rows, rejects, filtered, received = mapped_file("us_saner_hospitals", "beds", FILE)
    kinds = Counter(resource["resourceType"] for resource in resources())
    assert received == len(counts()) + kinds.total() - kinds["MeasureReport"] == 1_739
    assert (rejects, rows.height, filtered) == ([], 7 * kinds["MeasureReport"], received - rows.height)
    for code, (service, measure, kind) in BEDS.items():
        dimensions = {"bed_kind": kind} if kind else {}
        mine = told(rows, service_or_resource=service, measure=measure, dimensions=dimensions)
        assert mine == {key[:2]: count for key, count in counts().items() if key[2] == code}
        assert len(mine) == 108
    assert set(rows["grain"]) == {"day"}


def test_a_population_without_a_count_is_missing_and_not_nought(mapped_file: Callable[..., Any]) -> None:
    patients, *_ = mapped_file("us_saner_hospitals", "patients", FILE)
    ventilated, *_ = mapped_file("us_saner_hospitals", "ventilated", FILE)
    waiting, *_ = mapped_file("us_saner_hospitals", "ventilated_waiting", FILE)
    covid = {"disease": "covid_19"}
    expected = counts()

    def of(code: str) -> dict[tuple[str, str], int | None]:
        return {key[:2]: count for key, count in expected.items() if key[2] == code}

    assert told(patients, service_or_resource="hospital", dimensions=covid) == of("numC19Pats")
    assert set(of("numC19Pats").values()) == {None}
    assert patients.filter(pl.col("value_status") == "missing").height == 108
    assert told(patients, service_or_resource="inpatient", dimensions=covid) == of("numC19HospPats")
    for_ward = {**covid, "waiting_for": "ward_bed"}
    assert told(patients, measure="waiting", dimensions=for_ward) == of("numC19OverflowPats")
    mechanical = {**covid, "ventilation": "mechanical"}
    assert told(ventilated, service_or_resource="inpatient", dimensions=mechanical) == of(
        "numC19MechVentPats"
    )
    assert told(waiting, dimensions={**for_ward, "ventilation": "mechanical"}) == of("numC19OFMechVentPats")


def test_hospitals_bear_the_identifiers_of_the_organisation_and_of_the_location(
    mapped_file: Callable[..., Any],
) -> None:
    rows, rejects, _, _ = mapped_file("us_saner_hospitals", "hospitals", FILE)
    by_kind: dict[str, dict[str, Any]] = {"Organization": {}, "Location": {}}
    for resource in resources():
        by_kind.get(resource["resourceType"], {})[resource["id"]] = resource
    assert (rejects, rows.height) == ([], 54)
    for row in rows.iter_rows(named=True):
        place, owner = by_kind["Location"][f"Loc-{row['code']}"], by_kind["Organization"][row["code"]]
        assert row["name"] == owner["name"]
        assert (row["address"], row["city"]) == (owner["address"][0]["line"][0], owner["address"][0]["city"])
        assert (row["postal_code"], row["region_code"], row["country_code"]) == (
            place["address"]["postalCode"],
            place["address"]["state"],
            "US",
        )
        assert (row["latitude"], row["longitude"]) == (
            place["position"]["latitude"],
            place["position"]["longitude"],
        )
        assert json.loads(row["identifiers"]) == [
            {"system": "saner_hospital", "value": row["code"]},
            {"system": "saner_location", "value": place["id"]},
        ]
        assert (row["facility_type"], row["status"]) == ("HOSP", "open")
    assert set(rows["code"]) == {key[0] for key in counts()}


def test_the_other_rendering_gives_the_same_coordinates_in_an_extension() -> None:
    from caregrid.feeds.model import Format, Source
    from caregrid.mapping import read

    source = Source("f", "s", None, None, None, Format("fhir"), ("",), (), (), {}, {}, False)
    (batch,) = read(source, MIRROR / OTHER)
    at = "address.extension[http://hl7.org/fhir/StructureDefinition/geolocation].extension"
    places = batch.frame.filter(pl.col("resourceType") == "Location")
    assert places.height == 54
    assert places[f"{at}[latitude]"].to_list() == places["position.latitude"].to_list()
    assert places[f"{at}[longitude]"].null_count() == 0

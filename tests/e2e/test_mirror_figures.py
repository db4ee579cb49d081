"""Real files through the whole job: what is served equals an independent computation with polars."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(2400)]

CURRENT = """
from core.fct_usage as usage join core.dim_series as series using (series_id)
join core.dim_place as place on place.place_id = series.place_id
where usage.is_current and series.feed = '{feed}' and series.measure = '{measure}'
"""


@pytest.fixture(scope="module")
def mirror(job: Any) -> Any:
    if not job.has_mirror:
        pytest.skip("no mirror of the real feeds beside the checkout (CAREGRID_FEEDS_BASE names one)")
    return job


def served(job: Any, what: str, feed: str, measure: str, more: str = "") -> Any:
    """Return one figure as a BI tool reads it."""
    return job.query(f"select {what} {CURRENT.format(feed=feed, measure=measure)} {more}", "bi_reader")[0][0]


@pytest.mark.parametrize(
    ("measure", "column"),
    [("arrivals", "attendances"), ("over_target", "breaches"), ("admissions", "admissions")],
)
def test_english_totals(mirror: Any, measure: str, column: str) -> None:
    frame = pl.read_csv(mirror.base / "uk_nhsr_datasets" / "ae_attendances.csv")
    assert served(mirror, "sum(usage.value)", "uk_nhsr_datasets", measure) == frame[column].sum() > 0


def test_english_organisations(mirror: Any) -> None:
    frame = pl.read_csv(mirror.base / "uk_nhsr_datasets" / "ae_attendances.csv")
    found = served(mirror, "count(distinct place.code)", "uk_nhsr_datasets", "arrivals")
    assert found == frame["org_code"].n_unique() > 100


def test_one_english_trust_in_one_month(mirror: Any) -> None:
    frame = pl.read_csv(mirror.base / "uk_nhsr_datasets" / "ae_attendances.csv")
    row = frame.filter(
        (pl.col("org_code") == "RF4") & (pl.col("period") == "2017-03-01") & (pl.col("type") == "1")
    )
    found = served(
        mirror, "sum(usage.value)", "uk_nhsr_datasets", "arrivals",
        "and place.code = 'RF4' and series.dimensions ->> 'department_type' = '1'"
        " and (usage.period_start at time zone series.timezone)::date = '2017-03-01'",
    )  # fmt: skip
    assert row.height == 1
    assert found == row["attendances"].item()


def italy(base: Path) -> pl.DataFrame:
    return pl.read_csv(
        base / "it_dpc_regional" / "dpc-covid19-ita-regioni.csv",
        schema_overrides={"codice_regione": pl.String},
    )


def test_italian_intensive_care_peak(mirror: Any) -> None:
    lombardy = italy(mirror.base).filter(pl.col("denominazione_regione") == "Lombardia")
    found = served(
        mirror, "max(usage.value)", "it_dpc_regional", "present",
        "and place.name_en = 'Lombardia' and series.service_or_resource = 'bed_icu'",
    )  # fmt: skip
    assert found == lombardy["terapia_intensiva"].max() > 1000


def test_italian_admissions_without_the_impossible(mirror: Any) -> None:
    admissions = italy(mirror.base)["ingressi_terapia_intensiva"].cast(pl.Float64)
    found = served(mirror, "sum(usage.value)", "it_dpc_regional", "admissions")
    assert found == admissions.filter(admissions >= 0).sum()


def test_italian_rejects_are_the_negative_values(mirror: Any) -> None:
    admissions = italy(mirror.base)["ingressi_terapia_intensiva"].cast(pl.Float64)
    rejected = mirror.query(
        "select count(*) from rejected.record join raw.load using (load_id) where feed = 'it_dpc_regional'"
    )
    assert rejected == [((admissions < 0).sum(),)]
    assert rejected[0][0] > 0


def test_italian_days(mirror: Any) -> None:
    found = served(mirror, "count(distinct usage.period_start)", "it_dpc_regional", "present")
    assert found == italy(mirror.base)["data"].str.slice(0, 10).n_unique() > 900


def test_flu_shares(mirror: Any) -> None:
    (file,) = (mirror.base / "us_nssp_flu_ed_visits").glob("target-ed-visits-prop_*.csv.gz")
    frame = pl.read_csv(file, schema_overrides={"location": pl.String}, null_values=["NA"])
    states = frame.filter(pl.col("location") != "US").drop_nulls("value")
    found = served(
        mirror, "sum(usage.value)", "us_nssp_flu_visits", "visit_share", "and place.place_level = 'region'"
    )
    assert found == pytest.approx(states["value"].sum(), rel=1e-9)
    last = served(
        mirror,
        "max((usage.period_end at time zone series.timezone)::date - 1)",
        "us_nssp_flu_visits",
        "visit_share",
    )
    assert str(last) == frame["date"].max()


def test_every_code_that_occurs_has_its_row_and_every_region_a_name(mirror: Any) -> None:
    without = {
        "codes": "select code_system, code from core.dim_code where not is_in_seed",
        "systems": "select feed, used_as from core.dim_code_use where not is_declared",
        "names": "select region_key from marts.planning_utilisation "
        "where region_code in (region_name_en, region_name_zh)",
    }
    found = {what: mirror.query(text, "bi_reader") for what, text in without.items()}
    assert found == {"codes": [], "systems": [], "names": []}
    named = mirror.query(
        "select distinct region_name_en, region_name_zh from marts.planning_utilisation "
        "where region_key = 'IT/it_region/03'",
        "bi_reader",
    )
    assert named == [("Lombardia", "伦巴第")]

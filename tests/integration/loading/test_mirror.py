"""The Italian regions, loaded whole and compared with a count that shares no code with the loader."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from caregrid import loading, paths
from caregrid.loading.records import show

pytestmark = pytest.mark.integration

FEED = "it_dpc_regional"
FILE = "it_dpc_regional/dpc-covid19-ita-regioni.csv"


@pytest.fixture
def published() -> pl.DataFrame:
    """The file as polars reads it."""
    path = paths.feeds_base() / FILE
    if not path.is_file():
        pytest.skip(f"the mirror of open data is not here ({path})")
    return pl.read_csv(path, infer_schema=False).fill_null("")


def test_the_italian_regions_arrive_whole(warehouse: Any, published: pl.DataFrame) -> None:
    summary = loading.ingest(FEED)
    (load_id,) = summary["load_ids"]
    loading.accept([load_id])
    account = warehouse.account(load_id)
    admissions = pl.col("ingressi_terapia_intensiva").cast(
        pl.Float64, strict=False
    )  # blank before 2020-12-03
    negative = published.filter(admissions < 0).height
    assert negative == 5
    assert account.received == summary["records_received"] == published.height == 21_882
    assert (account.partly_rejected, account.rejected) == (negative, 0)
    assert account.kept == published.height - negative
    sums = published.select(
        pl.col("ricoverati_con_sintomi", "terapia_intensiva", "totale_ospedalizzati").cast(pl.Int64).sum(),
        admissions.filter(admissions >= 0).sum().cast(pl.Int64),
    ).row(0)
    with warehouse.connect("loader") as connection:
        found = connection.execute(
            "select s.measure, s.service_or_resource, sum(u.value)::bigint from canonical.usage as u "
            "join canonical.series as s using (series_id) group by 1, 2 order by 1, 2"
        ).fetchall()
        assert {(measure, service): total for measure, service, total in found} == {
            ("present", "inpatient"): sums[0],
            ("present", "bed_icu"): sums[1],
            ("present", "hospital"): sums[2],
            ("admissions", "bed_icu"): sums[3],
        }
        regions = connection.execute(
            "select count(*) from canonical.place where id_system = 'it_region'"
        ).fetchone()
        assert regions == (published["codice_regione"].n_unique(),)
        # Any row leads back to its line of the file.
        line, value, code = connection.execute(
            "select u.line, u.value, p.code from canonical.usage as u join canonical.series as s using "
            "(series_id) "
            "join canonical.place as p using (place_id) where s.service_or_resource = 'hospital' "
            "order by u.value desc limit 1"
        ).fetchone() or (0, 0, "")
    record = published.row(line - 2, named=True)
    assert (float(record["totale_ospedalizzati"]), record["codice_regione"]) == (value, code)
    assert show(load_id, line)["record"] == record

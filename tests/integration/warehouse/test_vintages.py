"""Sixty vintages of one publication: most of what arrives is known already, whatever the order."""

from __future__ import annotations

from typing import Any

import pytest
from caregrid import loading, paths
from caregrid.warehouse import dbt

pytestmark = pytest.mark.integration


def test_of_sixty_vintages_only_first_and_changed_values_count(warehouse: Any) -> None:
    if not (paths.feeds_base() / "us_flusight").is_dir():
        pytest.skip(f"the mirror of open data is not here ({paths.feeds_base()})")
    load_ids = loading.ingest("us_flusight_admissions")["load_ids"]
    # The verdicts fall in the opposite order of publication.
    for load_id in reversed(load_ids):
        loading.accept([load_id])
    models = ["+int_conservation", "+fct_usage"]
    built = dbt.run(["build", "--select", *models, "--resource-type", "model", "seed"])
    with warehouse.connect("dbt") as connection:
        counted = connection.execute(
            "select count(*), sum(received_records)::int, sum(loaded_records)::int, "
            "sum(unchanged_records)::int from build_intermediate.int_conservation"
        ).fetchone()
        facts = connection.execute("select count(*) from build_core.fct_usage").fetchone()
        newest = connection.execute(
            "select count(*), count(distinct t.series_id) from canonical.latest as t where not exists "
            "(select from canonical.usage as u where u.series_id = t.series_id "
            "and (u.period_start, u.known_at) > (t.period_start, t.known_at))"
        ).fetchone()
        series = connection.execute("select count(*) from canonical.series").fetchone()
    # Counted in the files when the contracts were written.
    assert counted == (60, 412_393, 17_259, 412_393 - 17_259), built
    assert facts == (17_259,)
    assert newest == (*(series or ()), *(series or ()))

"""Whatever the order in which loads arrive and builds happen, core ends the same, and as a full refresh
leaves it.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from caregrid.database.connect import connect
from caregrid.loading import accept
from caregrid.paths import var
from caregrid.warehouse import build, dbt, ledger, publish
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import sql

pytestmark = pytest.mark.integration

FACTS = ["fct_usage", "fct_occupancy", "fct_observed_run", "fct_usage_by_period", "fct_load"]
# fct_load says when we accepted; what the files say must not depend on it
CLOCKED = ["loaded_at", "accepted_at", "superseded_at", "landed_at"]
LOADS = 6
# Accounts are counted twice, over the tables of the loader and over core, where the terms bear a suffix.
TERMS = ("received", "loaded", "partly_rejected", "rejected", "duplicate", "unchanged", "filtered", "held")


def day(number: int) -> datetime:
    return datetime(2025, 3, 1, tzinfo=UTC) + timedelta(days=number)


class Workbench:
    """Runs the SQL that dbt compiled, table by table, without dbt: some hundred builds in the time of one."""

    def __init__(self, network: Any) -> None:
        self.network = network
        self.series = [network.one_series(code, measure) for code in "AB" for measure in ("occupied", "free")]
        self.loads: list[int] = []
        seed = network.load(day(0), source="seed")
        network.usage(seed, [(self.series[0], day(-9), day(-8), 1.0)])
        network.accept(seed)
        for _ in range(2):
            # the second makes the delta views and leaves every table beside the served one
            assert build(force=True).status == "published"
        outcome_manifest = dbt.run(["compile", "--select", "fct_usage"]).manifest
        self.tables = [
            table for table in publish.tables(outcome_manifest) if table.name in ("dim_series", *FACTS)
        ]
        self.delta = self._compiled(var("dbt", "target"))
        whole = var("dbt", "whole")
        dbt.run(["compile", "--full-refresh", "--select", "int_usage_rebuilt"], target=whole)
        self.whole_usage = self._compiled(whole, ["int_usage_rebuilt"])["int_usage_rebuilt"]
        with connect("loader") as connection:
            connection.execute("update raw.load set status = 'refused' where load_id = %s", [seed])

    def _compiled(self, target: Path, names: list[str] | None = None) -> dict[str, str]:
        """SQL by name, in an order in which each finds its inputs."""
        ordered = names or [
            *("stg_load", "int_series", "int_usage_touched", "int_usage_rebuilt", "int_capacity"),
            *("int_series_touched", "dim_series", "int_observed_run", "int_usage_by_period"),
            *("int_load_touched", "int_conservation", "int_load"),
        ]
        found = {path.stem: path.read_text() for path in (target / "compiled").rglob("*.sql")}
        return {name: found[name] for name in ordered}

    def reset(self) -> None:
        """Forget every build and every verdict."""
        with connect("dbt") as connection:
            for table in self.tables:
                connection.execute(sql.SQL("delete from {}").format(table.served))
            connection.execute("update ledger.build set status = 'failed'")
        with connect("loader") as connection:
            connection.execute(
                "update raw.load set status = 'staged', accepted_at = null, superseded_at = null "
                "where load_id = any(%s)",
                [self.loads],
            )
            connection.execute("delete from canonical.latest")

    def build(self) -> None:
        """One build by delta, published and listed as the real one does."""
        with connect("dbt") as connection:
            build_id = ledger.open_build(connection, "warehouse", False, "test")
            for name, text in self.delta.items():
                schema = "build_staging" if name.startswith("stg_") else "build_intermediate"
                self._fill(connection, "build_core" if name.startswith("dim_") else schema, name, text)
            publish.publish(connection, self.tables)
            ledger.list_loads(connection, build_id)
            ledger.close_build(connection, build_id, "published", None)

    @staticmethod
    def _fill(connection: psycopg.Connection[Any], schema: str, name: str, text: str) -> None:
        table = sql.Identifier(schema, name)
        shape = connection.execute(
            "select attname from pg_attribute where attrelid = to_regclass(%s) and attnum > 0 and not "
            "attisdropped "
            "order by attnum",
            [f"{schema}.{name}"],
        ).fetchall()
        columns = sql.SQL(", ").join(sql.Identifier(column) for (column,) in shape)
        connection.execute(sql.SQL("delete from {}").format(table))
        connection.execute(
            sql.SQL("insert into {} ({}) select {} from (").format(table, columns, columns)
            + sql.SQL(text)  # type: ignore[arg-type]
            + sql.SQL(") as compiled")
        )

    def served(self) -> dict[str, list[str]]:
        """Every row of the facts, without the moments of our own clock."""
        with connect("dbt") as connection:
            return {
                name: [
                    row
                    for (row,) in connection.execute(
                        f"select (to_jsonb(t) - %s::text[])::text from core.{name} as t order by 1".encode(),
                        [CLOCKED],
                    )
                ]
                for name in FACTS
            }

    def accounts(self) -> dict[str, list[tuple[Any, ...]]]:
        """Load, status and terms of every load, as core has them and as the loader's room counts them."""
        core = ", ".join(f"{term}_records" for term in TERMS)
        queries = {
            "core": f"select load_id, status, {core} from core.fct_load order by 1",
            "ledger": f"select load_id, status, {', '.join(TERMS)} from ledger.conservation order by 1",
        }
        with connect("dbt") as connection:
            return {name: connection.execute(query.encode()).fetchall() for name, query in queries.items()}

    def whole(self) -> list[str]:
        """fct_usage as a full refresh computes it from all accepted loads."""
        with connect("dbt") as connection:
            return [
                row
                for (row,) in connection.execute(
                    (f"select to_jsonb(t)::text from ({self.whole_usage}) as t order by 1").encode()
                )
            ]


@pytest.fixture(scope="module")
def workbench(network: Any) -> Workbench:
    return Workbench(network)


# Few keys and few values, so that repeats, returns, corrections and ties all occur.
rows = st.lists(
    st.tuples(
        st.integers(0, 3), st.integers(0, 2), st.integers(3, 5), st.sampled_from([1.0, 2.0, 3.0, None])
    ),
    min_size=1, max_size=6, unique_by=lambda row: row[:3],
)  # fmt: skip


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    files=st.lists(rows, min_size=2, max_size=LOADS - 1),
    published=st.permutations(range(LOADS)),
    replaced=st.booleans(),
    data=st.data(),
)
def test_any_order_of_arrival_ends_in_the_same_core(
    workbench: Workbench, files: list[list[tuple[int, int, int, float | None]]], published: list[int],
    replaced: bool, data: st.DataObject,
) -> None:  # fmt: skip
    network = workbench.network
    with connect("owner") as connection:
        connection.execute(
            "truncate raw.load, landing.file, canonical.usage, canonical.latest, ledger.build_load, "
            "raw.fate, "
            "canonical.facility_identifier, canonical.external_forecast, canonical.facility cascade"
        )
    loads = []
    for number, content in enumerate(files):
        load = network.load(day(published[number]))
        network.usage(
            load, [(workbench.series[s], day(start), day(known), value) for s, start, known, value in content]
        )
        loads.append(load)
    if replaced:
        # the first file again, under a corrected mapping
        again = network.load(day(published[0]), mapping_version="2", replaces=loads[0])
        network.usage(again, [(workbench.series[0], day(0), day(3), 7.0)])
        loads.append(again)
    workbench.loads = loads

    def arrive(order: list[int], cuts: set[int]) -> dict[str, list[str]]:
        workbench.reset()
        for position, number in enumerate(order):
            accept([loads[number]])
            if position in cuts:
                workbench.build()
        workbench.build()
        return workbench.served()

    reference = arrive(list(range(len(loads))), set())
    assert reference["fct_usage"] == workbench.whole()
    # a load cannot be accepted once the one that replaces it is
    order = data.draw(
        st.permutations(range(len(loads))).filter(
            lambda chosen: not replaced or chosen.index(0) < chosen.index(len(loads) - 1)
        )
    )
    cuts = data.draw(st.sets(st.integers(0, len(loads) - 1)))
    assert arrive(list(order), cuts) == reference
    # Core takes what was known strictly before a moment; the loader's room takes publications of a moment one
    # after the other. Where two files speak of one moment the two may call a row loaded or unchanged.
    spoken = [row[:3] for content in files for row in content] + [(0, 0, 3)] * replaced
    accounts = workbench.accounts()
    if len(spoken) == len(set(spoken)):
        assert accounts["core"] == accounts["ledger"]
    received = [(load, status, terms[0], sum(terms[1:])) for load, status, *terms in accounts["ledger"]]
    assert all(first == total for _, _, first, total in received)
    assert [row[:3] for row in accounts["core"]] == [row[:3] for row in accounts["ledger"]]

"""A day's increment on a long history beside a short one, a whole build beside the same SQL without dbt."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from typing import Any

from psycopg import sql

from caregrid import paths
from caregrid.bench import ground, network
from caregrid.bench.figures import Figure, Goal, figure
from caregrid.database.connect import connect
from caregrid.errors import CareGridError
from caregrid.loading import accept
from caregrid.loading.ingest import IngestFailedError, ingest
from caregrid.paths import FEEDS_DIR
from caregrid.warehouse import BuildResult, build, dbt
from caregrid.warehouse.dbt import Outcome

# The simulator plants files that cannot be read in this feed; the others read whole.
_FEEDS = ("sim_registry", "sim_beds", "sim_emergency", "sim_activity", "sim_quality", "sim_clinics")


def measure(short_days: int, times: int, sizes: Sequence[int]) -> Iterator[Figure]:
    """Yield the increment on both histories, then the build of each size in rows."""
    short, _ = _increment(short_days)
    long, rows = _increment(short_days * times)
    for step in ("load", "build"):
        yield figure(
            f"warehouse.daily_{step}_on_{short_days * times}_days", long[step], "s",
            f"the same day on {short_days} days", short[step], Goal("under", 1.3),
        )  # fmt: skip
    yield figure(f"warehouse.usage_rows_of_{short_days * times}_days", rows, "rows")
    for size in sizes:
        yield from _beside_psql(size)


def _take() -> None:
    """Land, stage and accept whatever the feeds offer and is not loaded."""
    loads: list[int] = []
    for feed in _FEEDS:
        try:
            loads += ingest(FEEDS_DIR / f"{feed}.yml")["load_ids"]
        except IngestFailedError as some:
            loads += some.summary["load_ids"]
    accept(loads)


def _built(result: BuildResult) -> BuildResult:
    if result.status != "published":
        raise CareGridError(f"the build was {result.status}", where="bench", fix=result.reason or "")
    return result


def _increment(days: int) -> tuple[dict[str, float], int]:
    """Return the seconds of loading and of building one more day on a history, and the rows of it all."""
    with ground.fresh_database():
        day = network.write_history(days)
        aside = network.hold_back(day)
        _take()
        _built(build())
        # The first build by touched keys makes the views; from then on all builds are alike.
        _built(build(force=True))
        for held, place in aside:
            shutil.move(held, place)
        ground.settle()
        with ground.stopwatch() as loading:
            _take()
        with ground.stopwatch() as building:
            _built(build())
        with connect("dbt") as connection:
            (rows,) = connection.execute("select count(*) from canonical.usage").fetchone() or (0,)
        shutil.rmtree(paths.var("simulated"))
    return {"load": loading[0], "build": building[0]}, int(rows)


def _beside_psql(rows: int) -> Iterator[Figure]:
    """Yield a full refresh by dbt, parsed before, beside the SQL that it compiled, sent in its order.

    Both use one connection at a time: dbt's usual three would be an advantage of the machine, not of dbt.
    """
    with ground.fresh_database():
        network.write_beds(rows)
        accept(ingest("sim_beds", files="beds/*")["load_ids"])
        _built(build())
        # One model that reads nothing: what is left is reading the project and starting.
        with ground.stopwatch() as starting:
            dbt.run(["build", "--select", "dim_date", "--resource-type", "model"])
        ground.settle()
        with ground.stopwatch() as building:
            outcome = dbt.run(
                ["build", "--full-refresh", "--threads", "1", "--exclude-resource-type", "unit_test", "seed"]
            )
        if not outcome.succeeded:
            raise CareGridError("dbt failed", where="bench", fix="; ".join(outcome.problems()))
        ground.settle()
        with ground.stopwatch() as sending:
            _send(outcome)
        shutil.rmtree(paths.var("simulated"))
    yield figure("warehouse.dbt_start_up", starting[0], "s")
    yield figure(
        f"warehouse.dbt_build_{rows}", building[0] - starting[0], "s", "the same SQL, sent one by one",
        sending[0], Goal("under", 2),
    )  # fmt: skip


def _send(outcome: Outcome) -> None:
    """Send what dbt compiled, as it ran: each table beside the one it built, with indexes; each test."""
    with connect("dbt") as connection:
        connection.execute("set work_mem = '128MB'")
        for done in outcome.nodes:
            node: dict[str, Any] = outcome.manifest["nodes"].get(done.unique_id, {})
            compiled = sql.SQL(node.get("compiled_code") or "")
            if done.resource_type == "test":
                connection.execute(sql.SQL("select count(*) from ({}) as found").format(compiled))
            elif done.resource_type == "model":
                kind = "view" if node["config"]["materialized"] == "view" else "table"
                name = sql.Identifier(node["schema"], f"{node['name']}__sent")
                connection.execute(sql.SQL(f"create {kind} {{}} as {{}}").format(name, compiled))
                for index in node["config"].get("indexes") or []:
                    columns = sql.SQL(", ").join(map(sql.Identifier, index["columns"]))
                    unique = sql.SQL("unique " if index.get("unique") else "")
                    method = sql.Identifier(index.get("type") or "btree")
                    connection.execute(
                        sql.SQL("create {}index on {} using {} ({})").format(unique, name, method, columns)
                    )
                if kind == "table":
                    connection.execute(sql.SQL("analyze {}").format(name))
            connection.commit()

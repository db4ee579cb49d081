"""Loading usage rows, beside a bare COPY of the same rows and beside pandas' to_sql."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import psycopg

from caregrid import paths
from caregrid.bench import ground, network
from caregrid.bench.figures import Figure, Goal, figure
from caregrid.database.connect import connect, sqlalchemy_url

_COLUMNS = (
    "series_id, period_start, period_end, known_at, load_id, line, value, value_status, observed_at, "
    "reporting_units, is_provisional, known_at_is_assumed, time_is_ambiguous"
)
# What a stranger's pandas takes of a million rows says enough of ten.
_PANDAS_ROWS = 200_000
_INGEST = """
from caregrid.quiet import apply_quiet
apply_quiet()
from caregrid.loading.ingest import ingest
import polars
"""


def measure(sizes: Sequence[int]) -> Iterator[Figure]:
    """Yield the figures of each size in rows.

    Our side ends when raw, canonical, rejected and the account are committed; before, it has kept the bytes,
    read them, mapped and checked every row. The other side gets the rows made and only writes them: logged,
    under the same key, in the order of the file.
    """
    for rows in sizes:
        with ground.fresh_database():
            network.write_beds(rows)
            ground.settle()
            seconds, peak, before = ground.in_a_process("ingest('sim_beds', files='beds/*')", _INGEST)
            file = paths.var("rows.csv")
            count = _export(file)
            ours = count / seconds
            bare = count / _copy(file)
            yield figure(
                f"load.usage_{rows}", ours, "rows/s", "COPY of the same rows, same key, logged",
                bare, Goal("at least", 0.5),
            )  # fmt: skip
            yield figure(f"load.peak_memory_{rows}", peak / 2**20, "MiB", "with all imports, before the file",
                         before / 2**20)  # fmt: skip
            taken = min(count, _PANDAS_ROWS)
            yield figure(
                f"load.usage_{rows}_beside_pandas", ours, "rows/s", f"to_sql of {taken} rows, same key",
                taken / _to_sql(file, taken),
            )  # fmt: skip
            file.unlink()
            shutil.rmtree(paths.var("simulated"))


def _export(file: Path) -> int:
    """Write the loaded rows in the order of their file; return how many."""
    with connect("loader") as connection, connection.cursor() as cursor, file.open("wb") as out:
        rows = f"select {_COLUMNS} from canonical.usage order by line, series_id"  # noqa: S608 - names of ours
        with cursor.copy(f"copy ({rows}) to stdout (format csv)".encode()) as copy:
            for block in copy:
                out.write(block)
        return cursor.rowcount


def _table(connection: psycopg.Connection[tuple[object, ...]], name: str) -> None:
    connection.execute(
        f"create table public.{name} (like canonical.usage including defaults, "
        "primary key (series_id, period_start, known_at, load_id))".encode()
    )
    connection.commit()


def _copy(file: Path) -> float:
    """Return the seconds that a bare COPY takes, committed."""
    with connect("owner") as connection:
        _table(connection, "bare")
        ground.settle()
        with ground.stopwatch() as seconds:
            statement = f"copy public.bare ({_COLUMNS}) from stdin (format csv)".encode()
            with connection.cursor() as cursor, file.open("rb") as rows, cursor.copy(statement) as copy:
                while block := rows.read(1 << 20):
                    copy.write(block)
            connection.commit()
        connection.execute("drop table public.bare")
    return seconds[0]


def _to_sql(file: Path, count: int) -> float:
    """Return the seconds that pandas takes to read and append so many of the rows, as it does by default."""
    import pandas as pd

    with connect("owner") as connection:
        _table(connection, "by_pandas")
    ground.settle()
    names = _COLUMNS.split(", ")
    moments = ["period_start", "period_end", "known_at", "observed_at"]
    with ground.stopwatch() as seconds:
        frame = pd.read_csv(file, names=names, nrows=count, parse_dates=moments)
        for name in ("is_provisional", "known_at_is_assumed", "time_is_ambiguous"):
            frame[name] = frame[name] == "t"
        frame.to_sql("by_pandas", sqlalchemy_url("owner"), schema="public", if_exists="append", index=False)
    return seconds[0]

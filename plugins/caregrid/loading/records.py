"""Shows records again, exactly as received, from the landed bytes, and what became of them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from psycopg.rows import dict_row

from caregrid.database.connect import connect
from caregrid.errors import CareGridError
from caregrid.feeds import load_feed
from caregrid.feeds.model import Source
from caregrid.landing import manifest
from caregrid.landing.manifest import LandedFile
from caregrid.loading import ledger
from caregrid.mapping import read

_CONTRACTS = ("usage", "facility", "resource", "quality", "improvement_action", "external_forecast")


def records_at(source: Source, file: LandedFile, lines: Iterable[int]) -> dict[int, dict[str, Any]]:
    """Return the records that begin on the given lines of a landed file, as column → text.

    Raises:
        UnreadableFile: the file is not what its feed says.
    """
    wanted = set(lines)
    found: dict[int, dict[str, Any]] = {}
    for batch in read(source, manifest.content(file), member=file.member):
        here = batch.lines.is_in(list(wanted))
        if here.any():
            records = batch.frame.filter(here).to_dicts()
            found.update(zip(batch.lines.filter(here).to_list(), records, strict=True))
        found.update({reject.line: reject.record for reject in batch.rejects if reject.line in wanted})
        if len(found) == len(wanted):
            break
    return found


def show(load_id: int, line: int, feed_name: str | Path | None = None) -> dict[str, Any]:
    """Return one record of a load and everything that became of it.

    Args:
        feed_name: a YAML file outside dags/feeds that describes how the file is read.

    Returns:
        file, status, record (as received), rows ({contract: rows}), rejects, and fates (named output → fate).

    Raises:
        CareGridError: no such load, or no record begins on that line.
    """
    with connect("loader") as connection:
        found = ledger.load(connection, load_id)
        file = manifest.landed_file(connection, found.file_id)
        records = records_at(load_feed(feed_name or found.feed).sources[file.source], file, [line])
        if line not in records:
            raise CareGridError(
                f"no record begins on line {line}",
                where=f"load {load_id}, {file.file_name}",
                fix="count lines from 1, the header too; records of JSON and Parquet by their order",
            )
        with connection.cursor(row_factory=dict_row) as cursor:
            given = [load_id, line]
            rows = {
                contract: cursor.execute(
                    f"select * from canonical.{contract} where load_id = %s and line = %s".encode(),  # noqa: S608
                    given,
                ).fetchall()
                for contract in _CONTRACTS
            }
            rejects = cursor.execute(
                "select output, value_name, reasons from rejected.record where load_id = %s and line = %s",
                given,
            ).fetchall()
            fates = cursor.execute(
                "select output, fate from raw.fate where load_id = %s and lines @> %s::int and fate <> "
                "'received'",
                given,
            ).fetchall()
    return {
        "file": f"{file.uri}/{file.member}" if file.member else file.uri,
        "status": found.status,
        "record": records[line],
        "rows": {contract: made for contract, made in rows.items() if made},
        "rejects": rejects,
        "fates": [(fate["output"], fate["fate"]) for fate in fates],
    }

"""Shows records again, exactly as received, from the landed bytes, and what became of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import psycopg
from psycopg.rows import dict_row

from caregrid.database.connect import connect
from caregrid.errors import CareGridError
from caregrid.feeds import build_source, load_feed
from caregrid.feeds.model import Source
from caregrid.landing import manifest
from caregrid.landing.manifest import LandedFile
from caregrid.loading import ledger
from caregrid.mapping import read

_CONTRACTS = ("usage", "facility", "resource", "quality", "improvement_action", "external_forecast")
# Records held at once, as Python has them.
_AT_ONCE = 10_000


def records_by_part(
    source: Source, file: LandedFile, lines: pl.Series
) -> Iterator[dict[int, dict[str, Any]]]:
    """Yield the records that begin on the given lines of a landed file, as line → column → text, in order.

    Raises:
        UnreadableFile: the file is not what its feed says.
    """
    wanted = lines.unique().cast(pl.Int32).sort()
    left = len(wanted)
    with manifest.content(file) as path:
        for batch in read(source, path, member=file.member):
            if not left:
                break
            # Of what is wanted only so much is looked at as this batch may hold.
            received = batch.received_lines
            near = wanted.filter(wanted.is_between(received.min(), received.max()))
            here = batch.lines.is_in(near.implode())
            numbers, chosen = batch.lines.filter(here), batch.frame.filter(here)
            for start in range(0, len(numbers), _AT_ONCE):
                records = chosen.slice(start, _AT_ONCE).to_dicts()
                yield dict(zip(numbers.slice(start, _AT_ONCE).to_list(), records, strict=True))
            among = set(near)
            unread = {reject.line: reject.record for reject in batch.rejects if reject.line in among}
            if unread:
                yield unread
            left -= len(numbers) + len(unread)


def records_at(source: Source, file: LandedFile, lines: Iterable[int]) -> dict[int, dict[str, Any]]:
    """Return the records that begin on the given lines of a landed file, as column → text.

    Raises:
        UnreadableFile: the file is not what its feed says.
    """
    found: dict[int, dict[str, Any]] = {}
    for part in records_by_part(source, file, pl.Series("line", list(lines), pl.Int32)):
        found.update(part)
    return found


def show(load_id: int, line: int, feed_name: str | Path | None = None) -> dict[str, Any]:
    """Return one record of a load and everything that became of it.

    Args:
        feed_name: a feed or YAML file to read the landed file by; without it the file is read as it was for
            this load, whatever has become of the feed since.

    Returns:
        file, status, record (as received), rows ({contract: rows}), rejects, and fates (named output → fate).

    Raises:
        CareGridError: no such load, or no record begins on that line.
    """
    with connect("loader") as connection:
        found = ledger.load(connection, load_id)
        file = manifest.landed_file(connection, found.file_id)
        source = _source_now(feed_name, file) if feed_name else _source_then(connection, load_id, file)
        records = records_at(source, file, [line])
        if line not in records:
            raise CareGridError(
                f"no record begins on line {line}",
                where=f"load {load_id}, {file.file_name}",
                fix="count lines or sheet rows from 1, the header too; records of other formats by order",
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


def _source_then(connection: psycopg.Connection[Any], load_id: int, file: LandedFile) -> Source:
    (described,) = connection.execute(
        "select mapping -> 'source' from raw.load where load_id = %s", [load_id]
    ).fetchone() or ({},)
    return build_source(file.feed, file.source, described)


def _source_now(feed_name: str | Path, file: LandedFile) -> Source:
    feed = load_feed(feed_name)
    if file.source not in feed.sources:
        raise CareGridError(
            f"the feed {feed.name} has no source {file.source!r}",
            where=f"{feed.file}: sources",
            fix=f"give the source that this file came by its name of then again; there are: "
            f"{', '.join(feed.sources)}",
        )
    return feed.sources[file.source]

"""Takes past days again: fetched where the publisher keeps them, else from landing."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

from caregrid.errors import CareGridError
from caregrid.feeds import load_feed
from caregrid.landing.addresses import refuse_future
from caregrid.loading.ingest import IngestFailedError, ingest


def backfill(
    feed_name: str | Path, first: date, last: date | None = None, run_id: str | None = None
) -> list[dict[str, Any]]:
    """Load again what a feed published from `first` to `last` (both included; by default one day).

    The days are publication dates of files, never the `known_at` of rows. Every file becomes a new load that
    replaces the one there is; core comes out the same unless bytes or mapping differ.

    Returns:
        One ingest summary per day; `how` and `notes` say where a day came from.

    Raises:
        CareGridError: the days are in the wrong order, or have not come; or some file was missing or
            unreadable, after all days.
    """
    last = last or first
    if last < first:
        raise CareGridError(f"{last} lies before {first}", fix="give the first day first")
    refuse_future(load_feed(feed_name), last)  # before the first day is loaded again
    summaries, failures = [], []
    for offset in range((last - first).days + 1):
        try:
            summaries.append(ingest(feed_name, first + timedelta(days=offset), run_id, reload=True))
        except IngestFailedError as failed:
            summaries.append(failed.summary)
            failures += [f"{failed.summary['day']}: {failure}" for failure in failed.summary["failures"]]
    if failures:
        raise BackfillFailedError(summaries, failures)
    return summaries


class BackfillFailedError(CareGridError):
    """Some days could not be taken whole. `summaries` holds what came of each."""

    def __init__(self, summaries: list[dict[str, Any]], failures: list[str]) -> None:
        self.summaries = summaries
        loaded = any(summary["loads_staged"] for summary in summaries)
        others = "the other files are loaded; " if loaded else ""
        super().__init__(
            "some files could not be taken: " + "; ".join(failures),
            where=f"feed {summaries[0]['feed']}",
            fix=f"{others}correct the source or the mapping and backfill these days again",
        )

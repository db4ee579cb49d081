"""Shows what a feed's mapping makes of real files, as tables in the terminal; loads nothing."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
from rich.console import Console
from rich.markup import escape
from rich.rule import Rule
from rich.table import Column, Table

from caregrid import terminal
from caregrid.errors import CareGridError
from caregrid.feeds import Feed, Output, Source, load_feed
from caregrid.mapping import (
    FileContext,
    Mapped,
    Reject,
    UnreadableFile,
    inspect_file,
    map_batch,
    members,
    read,
    records_at_once,
)

_SERIES_CONTRACTS = {"usage", "external_forecast"}
_RULE = 120
_TOLD = {"line", "value_name", "timezone", "known_at_is_assumed"}


class _Rejects:
    """Rejects as they are shown: counted by reason, the first few with their records."""

    def __init__(self, shown: int) -> None:
        self.count = 0
        self.reasons: Counter[tuple[str, str]] = Counter()
        self.first: list[Reject] = []
        self._shown = shown

    def add(self, rejects: list[Reject]) -> None:
        """Take in the rejects of a part of the file."""
        self.count += len(rejects)
        self.reasons.update((reason["code"], reason["field"]) for one in rejects for reason in one.reasons)
        self.first += rejects[: self._shown - len(self.first)]


class _Found:
    """What became of the records under one output: counted, the first few rows kept."""

    def __init__(self, shown: int) -> None:
        self.rows = self.filtered = 0
        self.first: list[pl.DataFrame] = []
        self.rejects = _Rejects(shown)
        self._shown = shown

    def add(self, mapped: Mapped) -> None:
        """Take in what a part of the file became, in the order of the file."""
        self.rows += mapped.rows.height
        self.filtered += mapped.filtered.height
        self.rejects.add(mapped.rejects)
        left = self._shown - sum(frame.height for frame in self.first)
        if left > 0 and mapped.rows.height:
            self.first.append(mapped.rows.sort("line", maintain_order=True).head(left))


def preview(
    path: Path,
    *,
    rows: int,
    source_name: str | None = None,
    output_name: str | None = None,
    file: Path | None = None,
    whole: bool = False,
) -> int:
    """Print the first mapped and rejected rows of each output.

    Returns 0, or 1 when a file could not be read.
    """
    feed = load_feed(path)
    console = terminal.console()
    for name, known in (
        (source_name, list(feed.sources)),
        (output_name, [output.name for output in feed.outputs]),
    ):
        if name and name not in known:
            raise CareGridError(
                f"the feed has no {name!r}", where=str(path), fix=f"there are: {', '.join(known)}"
            )
    if file and not file.is_file():
        raise CareGridError("there is no such file", where=str(file), fix="name a data file on this machine")
    if file and not source_name and len(feed.sources) > 1:
        raise CareGridError(
            "a file alone does not say of which source it is",
            where=str(path),
            fix=f"add --source, one of: {', '.join(feed.sources)}",
        )
    failed = False
    for source in feed.sources.values():
        outputs = [output for output in feed.outputs_of(source.name) if output_name in (None, output.name)]
        if source_name in (None, source.name) and outputs:
            for found in [file] if file else source_files(feed, source):
                failed |= not _preview_file(console, feed, source, outputs, found, rows, whole)
    return 1 if failed else 0


def source_files(feed: Feed, source: Source) -> list[Path]:
    """Return the files on this machine that a source names, sorted. Raises CareGridError when none."""
    from caregrid.landing.addresses import place_of
    from caregrid.landing.transports import file

    found: list[Path] = []
    if source.path:
        with place_of(feed, source) as place:
            found = [address.path for address in file.list_addresses(place) if address.path is not None]
    if not found:
        if not source.path:
            correct = ""
        elif source.path.startswith("file:"):
            correct = "correct the path, which names files and no directory, or "
        else:
            correct = "set CAREGRID_FEEDS_BASE to the directory that holds it, or "
        raise CareGridError(
            f"no file on this machine matches {source.path or source.url or 'the query'}",
            where=f"{feed.name}, source {source.name}",
            fix=f"{correct}name a file: --file FILE",
        )
    return found


def _preview_file(
    console: Console,
    feed: Feed,
    source: Source,
    outputs: list[Output],
    file: Path,
    rows: int,
    whole: bool,
) -> bool:
    title = f"[bold]{escape(source.name)}[/] {escape(file.name)}"
    console.print(Rule(title), width=min(console.width, _RULE))
    try:
        for member in members(source, file) or [""]:
            name = Path(member).name if member else file.name
            context = inspect_file(
                feed, source, file, file_name=name, member=member, last_modified=_modified(file)
            )
            found = {output.name: _Found(rows) for output in outputs}
            received, unread, at_once = 0, _Rejects(rows), records_at_once(outputs, context)
            for batch in read(source, file, member=member):
                received += len(batch.received_lines)
                unread.add(batch.rejects)
                for part in batch.parts(at_once):
                    for output in outputs:
                        found[output.name].add(map_batch(feed, output, part, context))
                if not whole:
                    break
            _print_file(console, context, member, received, whole)
            if unread.count:
                _print_rejects(console, "records that cannot be read", unread)
            for output in outputs:
                _print_output(console, output, found[output.name])
    except UnreadableFile as error:
        console.print(f"[red]the file is rejected[/] ({error.code}): {escape(error.reason)}")
        return False
    return True


def _modified(file: Path) -> Any:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(file.stat().st_mtime, UTC)


def _print_file(console: Console, context: FileContext, member: str, received: int, whole: bool) -> None:
    assumed = " (assumed)" if context.published_at_is_assumed else ""
    console.print(
        f"published {context.published_at:%Y-%m-%d %H:%M} UTC{assumed}; records read: {received}"
        f"{'' if whole else ' (first batch; --all for the whole file)'}"
        f"{'; member ' + escape(member) if member else ''}"
    )
    if context.constant_columns:
        console.print(
            f"[yellow]one value all over, not loaded:[/] {escape(', '.join(context.constant_columns))}"
        )
    if context.empty_columns:
        console.print(f"[yellow]without any value:[/] {escape(', '.join(context.empty_columns))}")


def _print_output(console: Console, output: Output, found: _Found) -> None:
    console.print(
        f"\n[bold]{output.name}[/] → {output.contract}: "
        f"{found.rows} rows, {found.rejects.count} rejected, {found.filtered} filtered"
    )
    if found.first:
        _print_rows(console, pl.concat(found.first), output.contract)
    if found.rejects.count:
        _print_rejects(console, "rejected", found.rejects)
    if found.rows:
        console.print("[dim]whether lines repeat or contradict each other is found when they are loaded[/]")


def _print_rows(console: Console, shown: pl.DataFrame, contract: str) -> None:
    """Print rows: series as lines of a table, descriptions as columns of one."""
    if contract in _SERIES_CONTRACTS:
        _print_series(console, shown)
    else:
        _print_descriptions(console, shown)


def _print_series(console: Console, shown: pl.DataFrame) -> None:
    names = ("place", "series", "period", "known at", "value")
    table = Table("line", *(Column(name, overflow="fold") for name in names), header_style="bold")
    for row in shown.iter_rows(named=True):
        place = f"{row['place_level']} {row['id_system']} {row['code']}" + (
            f"\n{row['place_name']}" if row["place_name"] else ""
        )
        series = f"{row['service_or_resource']}: {row['measure']}, {row['statistic']}, {row['unit']}"
        for name in ("dimensions", "subset_of"):
            if row[name] and row[name] != "{}":
                series += f"\n{row[name] if name == 'dimensions' else 'part of ' + row[name]}"
        if row["total_over"]:
            series += f"\ntotal over {', '.join(row['total_over'])}"
        period = _period(row)
        if row.get("time_is_ambiguous"):
            period += "\nthe local hour came twice"
        known = _shown(row["known_at"]) + ("\nassumed" if row["known_at_is_assumed"] else "")
        value = _shown(row["value"]) if row["value"] is not None else row["value_status"]
        if row.get("is_provisional"):
            value += " provisional"
        if row.get("reporting_units") is not None:
            value += f"\nof {row['reporting_units']} units"
        if "team" in row:
            value += f"\n{row['team']}, quantile {_shown(row['quantile'])}"
            value += f"\nmade {_shown(row['made_at'])}, horizon {row['horizon']}"
        table.add_row(str(row["line"]), *(escape(text) for text in (place, series, period, known, value)))
    console.print(table)


def _period(row: dict[str, Any]) -> str:
    """Return a period in the feed's own time: days as dates, the last included, finer ones with a clock."""
    start, end = (row[name].astimezone(ZoneInfo(row["timezone"])) for name in ("period_start", "period_end"))
    if row["grain"] in ("instant", "hour"):
        return f"{row['grain']} {start:%Y-%m-%d %H:%M %z}"
    if (start.hour, start.minute, end.hour, end.minute) != (0, 0, 0, 0):
        return f"{row['grain']} {start:%Y-%m-%d %H:%M %z}\nto {end:%Y-%m-%d %H:%M %z}"
    last = end - timedelta(days=1)
    return f"{row['grain']} {start:%Y-%m-%d}" + (
        "" if last.date() == start.date() else f"\nto {last:%Y-%m-%d}"
    )


def _print_descriptions(console: Console, shown: pl.DataFrame) -> None:
    rows = shown.rows(named=True)
    table = Table(
        "field",
        *(f"line {row['line']}" + (f" {row['value_name']}" if row["value_name"] else "") for row in rows),
        header_style="bold",
    )
    for name in shown.columns:
        if name not in _TOLD and shown[name].null_count() < shown.height:
            table.add_row(name, *(escape(_cut(_shown(row[name]), 240)) for row in rows))
    console.print(table)


def _print_rejects(console: Console, title: str, rejects: _Rejects) -> None:
    console.print(
        f"[red]{title}:[/] "
        + ", ".join(
            f"{count} × {code}{' (' + field + ')' if field else ''}"
            for (code, field), count in rejects.reasons.most_common(8)
        )
    )
    # An overlong word is broken, not cut: in Chinese a whole reason is one word.
    told = (Column(name, overflow="fold") for name in ("value", "reasons", "record"))
    table = Table("line", *told, header_style="bold red")
    for reject in rejects.first:
        reasons = "; ".join(
            f"{reason['field']}: {reason['message']}" if reason["field"] else reason["message"]
            for reason in reject.reasons
        )
        record = ", ".join(f"{key}={value}" for key, value in reject.record.items())
        table.add_row(
            str(reject.line),
            escape(reject.value_name),
            escape(reasons),
            escape(_cut(record, 240)),
        )
    console.print(table)


def _shown(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.10g}"
    if hasattr(value, "tzinfo") and hasattr(value, "hour"):
        return f"{value:%Y-%m-%d %H:%MZ}"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return str(value)


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"

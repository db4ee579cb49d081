"""Shows what a feed's mapping makes of real files, as tables in the terminal; loads nothing."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from caregrid.errors import CareGridError
from caregrid.feeds import Feed, Output, Source, load_feed
from caregrid.mapping import FileContext, Mapped, UnreadableFile, inspect_file, map_batch, members, read
from caregrid.paths import feeds_base

_HIDDEN = {"timezone", "country_code"}


def preview(
    path: Path,
    *,
    rows: int,
    source_name: str | None = None,
    output_name: str | None = None,
    file: Path | None = None,
    whole: bool = False,
) -> int:
    """Print the first mapped and rejected rows of each output. Returns 0, or 1 when a file could not be read."""
    feed = load_feed(path)
    console = Console()
    for name, known in (
        (source_name, list(feed.sources)),
        (output_name, [output.name for output in feed.outputs]),
    ):
        if name and name not in known:
            raise CareGridError(
                f"the feed has no {name!r}", where=str(path), fix=f"there are: {', '.join(known)}"
            )
    failed = False
    for source in feed.sources.values():
        outputs = [output for output in feed.outputs_of(source.name) if output_name in (None, output.name)]
        if source_name in (None, source.name) and outputs:
            for found in [file] if file else source_files(source):
                failed |= not _preview_file(console, feed, source, outputs, found, rows, whole)
    return 1 if failed else 0


def source_files(source: Source) -> list[Path]:
    """Return the files below the feeds' base directory that a source's path finds, sorted."""
    if source.path is None:
        raise CareGridError(
            f"source {source.name} has no path", where=source.feed, fix="name a file: --file FILE"
        )
    if source.path.startswith("file://"):
        base, pattern = Path("/"), source.path.removeprefix("file://").lstrip("/")
    else:
        base, pattern = feeds_base(), source.path
    if "{date" in pattern:
        pattern = (
            pattern[: pattern.index("{date")]
            + "*"
            + pattern[pattern.index("}", pattern.index("{date")) + 1 :]
        )
    found = sorted(base.glob(pattern))
    if not found:
        raise CareGridError(
            f"no file matches {source.path}",
            where=str(base),
            fix="set CAREGRID_FEEDS_BASE to the directory that holds it, or name a file: --file FILE",
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
    console.rule(f"[bold]{escape(source.name)}[/] {escape(file.name)}")
    try:
        for member in members(source, file) or [""]:
            name = Path(member).name if member else file.name
            context = inspect_file(
                feed, source, file, file_name=name, member=member, last_modified=_modified(file)
            )
            results: dict[str, list[Mapped]] = {output.name: [] for output in outputs}
            received, unread = 0, []
            for batch in read(source, file, member=member):
                received += len(batch.received_lines)
                unread += batch.rejects
                for output in outputs:
                    results[output.name].append(map_batch(feed, output, batch, context))
                if not whole:
                    break
            _print_file(console, context, member, received, whole)
            if unread:
                _print_rejects(console, "records that cannot be read", unread, rows)
            for output in outputs:
                _print_output(console, output, results[output.name], rows)
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
        f"{'' if whole else ' (first batch; --all for the whole file)'}{'; member ' + escape(member) if member else ''}"
    )
    if context.constant_columns:
        console.print(
            f"[yellow]one value all over, not loaded:[/] {escape(', '.join(context.constant_columns))}"
        )
    if context.empty_columns:
        console.print(f"[yellow]without any value:[/] {escape(', '.join(context.empty_columns))}")


def _print_output(console: Console, output: Output, results: list[Mapped], rows: int) -> None:
    frame = pl.concat([result.rows for result in results])
    rejects = [reject for result in results for reject in result.rejects]
    filtered = sum(result.filtered.height for result in results)
    console.print(
        f"\n[bold]{output.name}[/] → {output.contract}: {frame.height} rows, {len(rejects)} rejected, {filtered} filtered"
    )
    if frame.height:
        _print_rows(console, frame, rows)
    if rejects:
        _print_rejects(console, "rejected", rejects, rows)


def _print_rows(console: Console, frame: pl.DataFrame, rows: int) -> None:
    """Print the first rows: what they have in common in one line, what differs as a table, every value once."""
    shown = frame.sort("line", maintain_order=True).head(rows)
    names = [
        name for name in shown.columns if name not in _HIDDEN and shown[name].null_count() < shown.height
    ]
    same = [name for name in names if frame[name].n_unique() == 1 and name not in ("line", "value")]
    if same and frame.height > 1:
        console.print(
            "all: " + ", ".join(f"{name}={escape(_shown(shown[name][0]))}" for name in same),
            style="dim",
            soft_wrap=True,
        )
    table = Table(*(name for name in names if name not in same or frame.height == 1), header_style="bold")
    for row in shown.select(name for name in names if name not in same or frame.height == 1).iter_rows():
        table.add_row(*(escape(_shown(cell)) for cell in row))
    console.print(table)


def _print_rejects(console: Console, title: str, rejects: list[Any], rows: int) -> None:
    counts = Counter((reason["code"], reason["field"]) for reject in rejects for reason in reject.reasons)
    console.print(
        f"[red]{title}:[/] "
        + ", ".join(
            f"{count} × {code}{' (' + field + ')' if field else ''}"
            for (code, field), count in counts.most_common(8)
        )
    )
    table = Table("line", "value", "reasons", "record", header_style="bold red")
    for reject in rejects[:rows]:
        reasons = "; ".join(
            f"{reason['field']}: {reason['message']}" if reason["field"] else reason["message"]
            for reason in reject.reasons
        )
        record = ", ".join(f"{key}={value}" for key, value in reject.record.items())
        table.add_row(
            str(reject.line),
            escape(reject.value_name),
            escape(reasons),
            escape(record[:160] + ("…" if len(record) > 160 else "")),
        )
    console.print(table)


def _shown(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.10g}"
    if hasattr(value, "tzinfo") and hasattr(value, "hour"):
        return f"{value:%Y-%m-%d %H:%MZ}"
    if isinstance(value, pl.Series):
        return ", ".join(value.to_list())
    return str(value)

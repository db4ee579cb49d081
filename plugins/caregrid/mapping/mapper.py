"""Maps one batch of records under one output of a feed."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from caregrid.contracts import contracts
from caregrid.feeds.model import Feed, Output
from caregrid.mapping.measures import measure_candidates
from caregrid.mapping.records import record_candidates
from caregrid.mapping.result import settle
from caregrid.mapping.table import Table
from caregrid.mapping.types import FileContext, Mapped, RecordBatch
from caregrid.mapping.values import expand_values

# Output rows made at once, each of some hundred bytes.
ROWS_AT_ONCE = 250_000


def map_batch(feed: Feed, output: Output, batch: RecordBatch, context: FileContext) -> Mapped:
    """Return what became of a batch's records under one output.

    The result does not depend on where the batches are cut, on the machine's time zone, or on the clock.
    Batches of a file must come in order and once per context, because repeated local hours may be told
    apart by their order.

    Args:
        feed: as loaded.
        output: one of feed.outputs_of(source).
        batch: from `read`.
        context: from `inspect_file` for the same file; knows the source.

    Returns:
        Mapped; see there for the equation that holds.
    """
    source = feed.sources[context.source]
    table = batch_table(feed, output, batch, context, source.name)
    left_out = pl.Series("line", [], pl.Int32)
    if "where" in output.spec:
        kept = table.evaluate(output.spec["where"]).fill_null(False).cast(pl.Boolean)
        if not kept.all():
            left_out = table.lines.filter(~kept)
            table = table.filter(kept)
    contract = contracts()[output.contract]
    make = measure_candidates if contract.values == "measures" else record_candidates
    return settle(table, output, contract, make(table, output, contract), left_out)


def records_at_once(outputs: Sequence[Output], context: FileContext) -> int:
    """Return how many records of a file may be mapped at once.

    Of one record of ten thousand columns as many rows can come, each of them wider than its cell.
    """
    values = [
        len(expand_values(output, context.columns))
        for output in outputs
        if contracts()[output.contract].values == "measures"
    ]
    return max(1, ROWS_AT_ONCE // max([1, *values]))


def batch_table(feed: Feed, output: Output, batch: RecordBatch, context: FileContext, source: str) -> Table:
    """Return the batch as a table; columns are stripped once for all outputs of one batch."""
    held = context.state.get("table")
    if held is None or held.frame is not batch.frame:
        held = Table(feed, feed.sources[source], batch, context)
        context.state["table"] = held
    table = Table(feed, held.source, batch, context)
    table._texts = held._texts
    return table

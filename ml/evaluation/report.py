"""Everything that a back-test leaves to be read: tables, pictures, and one page that holds them together."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import decisions, examples, figures, joint, page, scores, steepest, telling
from .cells import Cells
from .drawing import SQUARE, WIDE, colours, inline, svg
from .glossary import GLOSSARY
from .reading import read

if TYPE_CHECKING:
    import polars as pl

OURS = "caregrid"
SCORES = (
    "model", "n", "wis", "rwis", "n_common", "rwis_pairwise", "cov50", "cov80", "cov95", "width95", "mae",
    "mase", "bias", "rmse", "mape", "wis_log1p", "poisson_floor",
)  # fmt: skip
SHORT = ("n", "wis", "rwis", "n_common", "mae", "mase", "cov50", "cov80", "cov95", "bias")
TABLES = (
    "scores", "by_series", "by_cutoff", "by_period", "steepest", "calibration", "decisions", "joint",
    "events", "path_checks", "verdicts", "gate",
)  # fmt: skip
MOST_SERIES = 100  # in the page; the file holds all
DRAWN = ("by_horizon", "calibration", "fans", "by_group", "decisions")


def write(
    out: Path,
    forecasts: Path,
    paths: Path | None,
    truth: pl.DataFrame,
    history: pl.DataFrame,
    capacity: pl.DataFrame | None,
    info: Mapping[str, Any],
    judge: Callable[[Cells], Mapping[str, pl.DataFrame]] | None = None,
) -> None:
    """Score forecasts and write tables (CSV), pictures (plots/*.svg) and report.html into a directory.

    Args:
        out: the directory, made where it is not there.
        forecasts: Parquet, see `reading.read`; paths: Parquet, see `joint.score`, or None.
        truth: unique_id, ds, y; history: unique_id, cutoff, naive_error; capacity: unique_id, cutoff,
            capacity, or None.
        info: what the run was, all optional but the first two: `frequency` (H, D, W, M), `baseline`; `kind`
            (`count` of events or `stock`) or `counts_of_events`; `ours` (name of our model), `title`,
            `source`, `command`, `asked` or `options` (all options), `vintages_assumed`, `publication_lag`,
            `parts` ({total: series that sum to it}), `notes` and `left_out` (texts, or {why: number}),
            `absent_models` ({model: why}), `failed_at_cutoffs` ({model: number}), `hashes` or `fingerprints`
            ({what: hash}), `code_version`, `lock_sha256`.
        judge: returns of the scored cells `verdicts` (model, beside, answer, reason), which is shown, and
            `gate`, the checks behind them.

    Raises:
        CareGridError: the tables cannot be scored, see `reading.read`.
    """
    out.mkdir(parents=True, exist_ok=True)
    cells = read(forecasts, truth, history, capacity)
    baseline, frequency = str(info["baseline"]), str(info["frequency"])
    counts = info.get("kind") == "count" or bool(info.get("counts_of_events"))
    tables = {
        "scores": scores.by_horizon(cells, baseline, counts),
        "by_series": scores.by_series(cells, baseline, counts),
        "by_cutoff": scores.by_cutoff(cells, baseline, counts),
        "by_period": scores.by_period(cells, baseline, frequency, counts),
        "steepest": steepest.table(cells, truth, baseline),
        "calibration": telling.calibration(cells),
        "decisions": decisions.table(cells),
    }
    tables |= judge(cells) if judge is not None else {}
    found = joint.score(paths, cells, frequency, info.get("parts")) if paths is not None else None
    if found is not None:
        tables |= {"joint": found.scores, "events": found.events, "path_checks": found.checks}
    for name in TABLES:
        # A table without a row is a question that was not asked: no file says so better than an empty one, or
        # than one of an earlier run.
        if name in tables and (len(tables[name]) or name == "scores"):
            tables[name].write_csv(out / f"{name}.csv")
        else:
            (out / f"{name}.csv").unlink(missing_ok=True)
    featured = _ours(cells, info) or _best(tables["scores"])
    drawn = dict(_drawn(out, forecasts, truth, cells, tables, found, featured, baseline, frequency))
    text = _page(out, cells, tables, found, info, featured, baseline, drawn)
    partial = out / "report.html.partial"
    partial.write_text(text, encoding="utf-8")
    partial.replace(out / "report.html")


def _ours(cells: Cells, info: Mapping[str, Any]) -> str | None:
    """Return the name of our model, None where only others were scored."""
    name = str(info.get("ours", OURS))
    return name if name in cells.models else None


def _best(table: pl.DataFrame) -> str | None:
    """Return the model with the least mean score of those that have most cells."""
    rows = [row for row in table.iter_rows(named=True) if row["horizon"] == "all" and row["wis"] is not None]
    most = max((row["n"] for row in rows), default=0)
    able = [row for row in rows if row["n"] >= page.NEARLY_ALL * most]
    return min(able, key=lambda row: row["wis"])["model"] if able else None


def _drawn(
    out: Path, forecasts: Path, truth: pl.DataFrame, cells: Cells, tables: Mapping[str, pl.DataFrame],
    found: joint.Joint | None, featured: str | None, baseline: str, frequency: str,
) -> Iterator[tuple[str, str]]:  # fmt: skip
    """Write plots/NAME.svg and yield (name, the picture as an element of the page)."""
    folder = out / "plots"
    folder.mkdir(exist_ok=True)
    there = [name for name, model in cells.models.items() if len(model.code)]
    tone = colours(there, featured, baseline)
    tone = {name: tone[name] for name in there}
    chosen = []
    if featured:
        moved = steepest.changes(cells, truth)
        chosen = examples.gather(forecasts, truth, cells, featured, baseline, moved)
    pictures: list[tuple[str, Callable[[Any], None], tuple[float, float], str]] = [
        (
            "by_horizon",
            lambda figure: figures.by_horizon(figure, tables["scores"], tone, featured, baseline, frequency),
            WIDE, "Relative score and coverage by horizon",
        ),
        (
            "calibration",
            lambda figure: figures.calibration(figure, cells, tone, featured, baseline),
            SQUARE, "Reliability of quantiles, and histogram of where the truth fell",
        ),
        (
            "by_group",
            lambda figure: figures.by_group(
                figure, tables["by_series"], tables["by_cutoff"], tone, featured, baseline
            ),
            WIDE, "Relative score by series and by cutoff",
        ),
    ]  # fmt: skip
    if chosen:
        size = (9.2, 2.75 * -(-len(chosen) // 2))
        pictures.append(
            ("fans", lambda figure: figures.fans(figure, chosen, baseline), size, "Examples of forecasts")
        )
    if len(tables["decisions"]):
        said = found.said if found is not None else {}
        pictures.append(
            (
                "decisions",
                lambda figure: figures.decisions(figure, tables["decisions"], said, tone, featured),
                SQUARE, "Economic value and reliability of alarms",
            )
        )  # fmt: skip
    for name, draw, size, label in pictures:
        text = svg(draw, name, size)
        (folder / f"{name}.svg").write_text(text, encoding="utf-8")
        yield name, inline(text, label)


def _page(
    out: Path, cells: Cells, tables: Mapping[str, pl.DataFrame], found: joint.Joint | None,
    info: Mapping[str, Any], featured: str | None, baseline: str, drawn: Mapping[str, str],
) -> str:  # fmt: skip
    """Return the report as one page."""
    import polars as pl

    def sheet(frame: pl.DataFrame, columns: tuple[str, ...], **more: Any) -> page.Sheet:
        return page.sheet(frame, columns, featured, baseline, **more)

    whole = tables["scores"].filter(pl.col("horizon") == "all").sort("wis", nulls_last=True)
    own = pl.col("model") == (featured or baseline)
    series = tables["by_series"].filter(own).sort("rwis", "wis", descending=True, nulls_last=True)
    note = ""
    if len(series) > MOST_SERIES:
        note = f"The {MOST_SERIES} worst of {len(series):,} series; by_series.csv holds all."
    half = tables["decisions"].filter(pl.col("cost_ratio") == decisions.ALARM, pl.col("horizon") == "all")
    shown: dict[str, page.Sheet | None] = {
        "scores": sheet(whole, SCORES, best=True),
        "horizons": sheet(
            tables["scores"].filter(own), ("horizon", *SCORES[1:]), mark_ours=False
        ),
        "series": sheet(series.head(MOST_SERIES), ("unique_id", *SHORT), mark_ours=False, note=note),
        "periods": sheet(
            tables["by_period"].sort("period", "wis", nulls_last=True), ("period", "model", *SHORT)
        ),
        "steepest": sheet(
            telling.steep(tables["steepest"]),
            ("model", "n", "steep95", "rises95", "falls95", "others95", "rwis", "n_common"),
        ),
        "decisions": sheet(
            half, ("model", "n", "shortages", "alarms", "caught", "missed", "needless", "value")
        ),
        "joint": None, "events": None, "checks": None, "verdicts": None,
    }  # fmt: skip
    if found is not None:
        shown["joint"] = sheet(
            found.scores, ("model", "over", "score", "vectors", "paths", "value", "independent", "ratio")
        )
        shown["events"] = sheet(found.events, joint.EVENTS[:-1])
        shown["checks"] = sheet(telling.checks(found.checks), ("model", "check", "n", "value"))
    if "verdicts" in tables:
        shown["verdicts"] = sheet(tables["verdicts"], ("model", "beside", "answer", "reason"))
    options = info.get("options", info.get("asked"))
    return page.render(
        title=str(info.get("title", "Back-test of forecasts")),
        lead=telling.lead(cells, info, baseline, featured),
        tiles=telling.tiles(whole, tables["steepest"], featured, baseline),
        warnings=telling.warnings(info),
        facts=telling.facts(cells, info, baseline),
        glossary=GLOSSARY,
        contents=[one for one in telling.CONTENTS if one["id"] != "gate" or shown["verdicts"]],
        featured=featured,
        tables=shown,
        pictures={name: drawn.get(name, "") for name in DRAWN},
        notes=telling.notes(cells, whole, info),
        command=telling.command(info),
        hashes=telling.hashes(info),
        options=json.dumps(options, indent=1, ensure_ascii=False, default=str) if options else "",
        files=sorted(
            path.relative_to(out).as_posix()
            for path in (*out.glob("*.csv"), *out.glob("*.parquet"), *out.glob("plots/*.svg"))
        ),
    )

"""What a report says in words: what was scored, the figures that matter first, and what was left out."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from .cells import Cells
from .page import SHARES, number
from .steepest import FALLS, OTHERS, RISES, STEEP

if TYPE_CHECKING:
    import polars as pl

MADE = ("data_sha256", "quantiles", "cutoffs_made")  # in what a run was asked, but no options of it
STEEP_GOAL = 0.85  # of the steepest tenth inside the 95 % interval
FREQUENCIES = {"H": "hourly", "D": "daily", "W": "weekly", "M": "monthly"}
PERIODS = {"H": "hours", "D": "days", "W": "weeks", "M": "months"}
CONTENTS = [
    {"id": key, "english": text}
    for key, text in (
        ("scored", "What was scored"), ("scores", "Scores"), ("horizons", "By horizon"),
        ("calibration", "Calibration"), ("series", "By series"), ("steepest", "Steepest tenth"),
        ("paths", "Joint paths"), ("decisions", "Decision value"), ("gate", "Promotion gate"),
        ("notes", "Left out"),
        ("repeat", "To repeat"),
    )
]  # fmt: skip


def calibration(cells: Cells) -> pl.DataFrame:
    """Return per model and quantile the share of truth below it, at or below it, and its pinball loss."""
    import polars as pl

    rows = [
        (
            name, level, len(model.code), below / len(model.code), at / len(model.code),
            model.loss[level] / len(model.code), model.mass[place] / len(model.code),
        )
        for name, model in cells.models.items() if len(model.code)
        for place, (level, (below, at)) in enumerate(model.reached.items())
    ]  # fmt: skip
    columns = [
        "model",
        "quantile",
        "n",
        "share_below",
        "share_at_or_below",
        "pinball",
        "share_since_quantile_before",
    ]
    return pl.DataFrame(rows, schema=columns, orient="row")


def steep(table: pl.DataFrame) -> pl.DataFrame:
    """Return one row per model: how often the 95 % interval held on the steepest tenth and beside it."""
    import polars as pl

    names = {STEEP: "steep95", RISES: "rises95", FALLS: "falls95", OTHERS: "others95"}
    wide = table.filter(pl.col("part") == STEEP).select("model", "n", "rwis", "n_common", "reason")
    for part, name in names.items():
        held = table.filter(pl.col("part") == part).select("model", pl.col("cov95").alias(name))
        wide = wide.join(held, on="model", how="left")
    return wide.sort("steep95", descending=True, nulls_last=True)


def checks(table: pl.DataFrame) -> pl.DataFrame:
    """Return what holds of the paths with counts as counts: half of the values are no measures."""
    import polars as pl

    said = [number(int(value) if value == int(value) else value) for value in table["value"]]
    return table.with_columns(value=pl.Series(said, dtype=pl.String))


def command(info: Mapping[str, Any]) -> str:
    """Return the command that repeats the run: as told, or from everything it was asked."""
    if info.get("command"):
        return str(info["command"])
    asked = info.get("asked")
    if not isinstance(asked, Mapping):
        return ""
    words = ["python", "-m", "ml.backtest"]
    for name, value in asked.items():
        # What was made of the options is no option, nor is what was left as it is.
        if name in MADE or value is None or value is False or value == [] or value == "":
            continue
        words.append("--" + name.replace("_", "-"))
        if value is not True:
            words += [str(one) for one in value] if isinstance(value, list) else [str(value)]
    return shlex.join(words)


def lead(cells: Cells, info: Mapping[str, Any], baseline: str, featured: str | None) -> str:
    """Return one sentence that says what this is."""
    kind = FREQUENCIES[str(info["frequency"])]
    ahead = PERIODS[str(info["frequency"])]
    models = sum(1 for model in cells.models.values() if len(model.code))
    source = f" of {info['source']}" if info.get("source") else ""
    return (
        f"{models} models forecast {len(np.unique(cells.series)):,} {kind} series{source} from "
        f"{len(np.unique(cells.cutoff)):,} cutoffs, 1 to {cells.horizon} {ahead} ahead. "
        f"The baseline is {baseline}" + (f"; this page looks closest at {featured}." if featured else ".")
    )


def tiles(
    whole: pl.DataFrame, steep: pl.DataFrame, featured: str | None, baseline: str
) -> list[dict[str, str]]:
    """Return the figures that matter first, of the featured model."""
    row = next((one for one in whole.iter_rows(named=True) if one["model"] == featured), None)
    if row is None:
        return []
    found = []
    if row["rwis"] is not None and featured != baseline:
        text = f"WIS relative to {baseline}, {row['n_common']:,} common cells"
        found.append(_tile(number(row["rwis"]), text, "相对评分"))
    found.append(_tile(number(row["wis"]), f"mean WIS of {featured}, {row['n']:,} cells", "平均区间评分"))
    for name, share in SHARES.items():
        if row[name] is not None:
            off = (row[name] - share) * 100
            verdict = f"{off:+.1f} points".replace("-", "−") + ("" if abs(off) <= 2 else ", more than 2 off")
            text = f"of truth inside the {share * 100:.0f} % interval"
            value = f"{row[name] * 100:.1f} %"
            found.append(_tile(value, text, "区间覆盖率", verdict, abs(off) <= 2))
    for one in steep.iter_rows(named=True):
        if one["model"] == featured and one["part"] == STEEP and one["cov95"] is not None:
            held = one["cov95"] >= STEEP_GOAL
            text = "inside the 95 % interval on the steepest tenth"
            verdict = f"{STEEP_GOAL * 100:.0f} % or more" if held else f"below {STEEP_GOAL * 100:.0f} %"
            found.append(_tile(f"{one['cov95'] * 100:.1f} %", text, "变化最剧烈部分的覆盖率", verdict, held))
    return found


def _tile(value: str, english: str, chinese: str, verdict: str = "", good: bool = True) -> dict[str, str]:
    style = "in" if good else "off"
    return {"value": value, "english": english, "chinese": chinese, "verdict": verdict, "style": style}


def warnings(info: Mapping[str, Any]) -> list[str]:
    """Return what a reader must know before any figure."""
    if not info.get("vintages_assumed"):
        return []
    lag = info.get("publication_lag") or (info.get("asked") or {}).get("publication_lag")
    return [
        "Vintages are assumed: the data do not say when each value became known. Each is taken as known "
        + (f"{lag} after its period, " if lag else "after the publication lag, ")
        + "in its newest version, so revisions are hidden from this test. 假定数据版本：修订未计入。"
    ]


def moment(when: np.datetime64) -> str:
    """Return a time as people write it, without a midnight that says nothing."""
    return str(when.astype("datetime64[m]")).replace("T00:00", "").replace("T", " ")


def facts(cells: Cells, info: Mapping[str, Any], baseline: str) -> list[dict[str, str]]:
    """Return what was scored, as (English, Chinese, value)."""
    asked = info.get("asked") or info.get("options") or {}
    first, last = (str(cells.cutoffs[at].astype("datetime64[m]")).replace("T", " ") for at in (0, -1))
    ds = cells.ds[~np.isnat(cells.ds)]
    spans = (
        [str(one.astype("datetime64[m]")).replace("T", " ") for one in (ds.min(), ds.max())]
        if len(ds)
        else []
    )
    counts = info.get("kind") == "count" or info.get("counts_of_events")
    source = info.get("source") or asked.get("series") if isinstance(asked, Mapping) else info.get("source")
    if info.get("vintages_assumed") is None:
        vintages = "not said"
    else:
        vintages = (
            "assumed" if info["vintages_assumed"] else "known: each cutoff sees what was published by then"
        )
    rows = [
        ("Data", "数据", str(source or "not named")),
        (
            "Series",
            "序列",
            f"{len(np.unique(cells.series)):,} with a scored cell, {len(cells.ids):,} with truth",
        ),
        ("Cutoffs", "预测起点", f"{len(cells.cutoffs):,}, from {first} to {last}"),
        ("Targets", "目标时段", " to ".join(spans)),
        ("Horizons", "步长", f"1 to {cells.horizon} {PERIODS[str(info['frequency'])]}"),
        ("Vintages", "数据版本", vintages),
        ("What is counted", "类型", "events" if counts else "a stock or a measure; no Poisson floor applies"),
        ("Baseline", "基线", baseline),
        ("Cells", "样本", f"{len(cells.code):,} series × cutoff × horizon with known truth"),
    ]
    return [{"english": english, "chinese": chinese, "value": value} for english, chinese, value in rows]


def notes(cells: Cells, whole: pl.DataFrame, info: Mapping[str, Any]) -> list[str]:
    """Return everything that was left out or needs a word, each with its number or reason."""
    found: list[str] = []
    for key in ("notes", "left_out"):
        given = info.get(key) or []
        if isinstance(given, Mapping):
            found += [f"{why}: {number(count)}" for why, count in given.items()]
        else:
            found += [str(one) for one in given]
    found += [f"{name} was not run: {why}" for name, why in (info.get("absent_models") or {}).items()]
    found += [
        f"{name} gave no answer at {count} cutoffs"
        for name, count in (info.get("failed_at_cutoffs") or {}).items()
    ]
    found += [
        f"{name} crossed its quantiles in {count:,} cells; they were put in order before they were scored"
        for name, count in (info.get("cells_put_in_order") or {}).items() if count
    ]  # fmt: skip
    if info.get("sums_in_the_table_itself"):
        found.append(
            "sums the table holds itself, not made anew: " + ", ".join(info["sums_in_the_table_itself"])
        )
    base = cells.models.get(str(info["baseline"]))
    most = max((len(model.code) for model in cells.models.values()), default=0)
    for name, model in cells.models.items():
        parts = []
        if len(model.code) < most:
            parts.append(
                f"scored on {len(model.code):,} cells, {most - len(model.code):,} fewer than the fullest"
            )
        if model.incomplete:
            parts.append(f"{model.incomplete:,} cells left out, since a quantile is missing or no number")
        if model.without_truth:
            parts.append(f"{model.without_truth:,} cells left out, since the truth is not known")
        if model.unknown:
            parts.append(f"{model.unknown:,} rows left out, of series without any truth")
        if model.crossed:
            parts.append(f"{model.crossed:,} cells have quantiles that cross; they are scored as given")
        if base is not None and model.quantiles and base.quantiles and model.quantiles != base.quantiles:
            parts.append(
                f"scored on its own {len(model.quantiles)} quantiles, the baseline on {len(base.quantiles)}: "
                "their ratio compares unlike sums"
            )
        parts += [
            f"level {level:g} left out: {count:,} cells have it" for level, count in model.stray.items()
        ]
        if parts:
            found.append(f"{name}: " + "; ".join(parts))
    for row in whole.iter_rows(named=True):
        if row["mape_left_out"]:
            found.append(f"{row['model']}: mape leaves out {row['mape_left_out']:,} cells whose truth is 0")
        if row["reason"]:
            found.append(f"{row['model']}: {row['reason']}")
    found.append("The point forecast is the median, for RMSE as well, which the mean would serve better.")
    return found


def hashes(info: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return hashes and versions that pin the run down."""
    found = {str(name): str(value) for name, value in (info.get("hashes") or {}).items()}
    found |= {
        f"configuration of {name}": str(value) for name, value in (info.get("fingerprints") or {}).items()
    }
    asked = info.get("asked") or {}
    for name, value in (
        ("data sha256", info.get("data_sha256") or asked.get("data_sha256")),
        ("code version", info.get("code_version")),
        ("lock file sha256", info.get("lock_sha256")),
    ):
        if value:
            found[name] = str(value)
    if info.get("libraries"):
        found["libraries"] = ", ".join(f"{name} {version}" for name, version in info["libraries"].items())
    if info.get("seconds_in_all"):
        found["seconds before scoring"] = str(info["seconds_in_all"])
    return [{"english": name, "value": value} for name, value in found.items()]

"""Tables of scores as a person reads them: rounded, the best marked, empty cells with their reason."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import polars as pl

TEMPLATE = Path(__file__).with_name("page.html.j2")
NOTHING = "–"
# A model with fewer of the cells than this had an easier or a harder task: it is not marked as best.
NEARLY_ALL = 0.95
SHARES = {"cov50": 0.5, "cov80": 0.8, "cov95": 0.95}
SMALL_IS_GOOD = ("wis", "rwis", "rwis_pairwise", "mae", "rmse", "mape", "mase", "wis_log1p")
PERCENT = ("cov50", "cov80", "cov95", "mape", "steep95", "rises95", "falls95", "others95", "steps_known")
HEADS = {
    "model": ("model", "模型"),
    "n": ("cells", "样本"),
    "wis": ("WIS", "区间评分"),
    "rwis": ("rel. WIS", "相对"),
    "n_common": ("common", "共同样本"),
    "rwis_pairwise": ("pairwise", "两两相对"),
    "mae": ("MAE", "绝对误差"),
    "rmse": ("RMSE", "均方根误差"),
    "mape": ("MAPE %", "百分误差"),
    "mase": ("MASE", "标度误差"),
    "cov50": ("50 %", "覆盖率"),
    "cov80": ("80 %", "覆盖率"),
    "cov95": ("95 %", "覆盖率"),
    "width95": ("width", "区间宽度"),
    "bias": ("bias", "偏差"),
    "wis_log1p": ("WIS of log", "对数评分"),
    "poisson_floor": ("Poisson floor", "泊松下限"),
    "horizon": ("horizon", "步长"),
    "unique_id": ("series", "序列"),
    "period": ("period", "时期"),
    "steep95": ("95 %, steepest", "最剧烈"),
    "rises95": ("95 %, rises", "上升"),
    "falls95": ("95 %, falls", "下降"),
    "others95": ("95 %, the rest", "其余"),
    "over": ("over", "维度"),
    "score": ("score", "评分"),
    "vectors": ("vectors", "向量"),
    "paths": ("paths", "路径数"),
    "value": ("value", "数值"),
    "independent": ("shuffled", "打乱"),
    "ratio": ("ratio", "比值"),
    "within": ("within", "期数"),
    "events": ("events", "事件"),
    "brier": ("Brier, paths", "路径"),
    "brier_marginal": ("Brier, marginals", "边际"),
    "skill": ("skill", "技巧"),
    "said": ("mean said, paths", "平均概率"),
    "said_marginal": ("mean said, marginals", "边际平均概率"),
    "steps_known": ("steps known %", "已知步"),
    "check": ("check", "检验"),
    "shortages": ("shortages", "短缺"),
    "alarms": ("alarms", "警报"),
    "caught": ("caught", "命中"),
    "missed": ("missed", "漏报"),
    "needless": ("needless", "误报"),
    "beside": ("in place of", "取代"),
    "answer": ("answer", "结论"),
    "reason": ("reason", "理由"),
}
TEXT = ("model", "horizon", "unique_id", "period", "over", "score", "check", "beside", "answer", "reason")
LONG = ("reason",)  # texts that go on over several lines


@dataclass
class Sheet:
    """A table for the page: heads and rows of plain values, escaped by the template."""

    heads: list[dict[str, Any]]
    rows: list[dict[str, Any]] = field(default_factory=list)
    note: str = ""


def sheet(
    frame: pl.DataFrame, columns: Iterable[str], ours: str | None, baseline: str, *, best: bool = False,
    mark_ours: bool = True, note: str = "",
) -> Sheet:  # fmt: skip
    """Return some columns of a table of scores, ready to be read.

    Args:
        best: mark the best of each column.
        mark_ours: tint our model's rows; not where all rows are of it.
    """
    shown = [name for name in columns if name in frame.columns]
    rows = list(frame.iter_rows(named=True))
    # A column that says nothing in any row is left out, but for those that everybody looks for.
    shown = [name for name in shown if name != "poisson_floor" or any(row[name] is not None for row in rows)]
    winners = {name: _winners(rows, name) for name in shown} if best else {}
    made = Sheet(
        [
            {"name": HEADS[name][0], "chinese": HEADS[name][1], "text": name in TEXT, "hint": ""}
            for name in shown
        ]
    )
    made.note = note
    for number, row in enumerate(rows):
        cells = []
        for name in shown:
            cell = _cell(row, name)
            if number in winners.get(name, ()):
                cell["style"] += " best"
            if name == "model" and row[name] == baseline:
                cell["mark"] = "baseline"
            cells.append(cell)
        made.rows.append(
            {"cells": cells, "ours": mark_ours and ours is not None and row.get("model") == ours}
        )
    return made


def _winners(rows: list[dict[str, Any]], name: str) -> set[int]:
    """Return the rows that are best in a column, none where it has no better or worse."""
    if name in SHARES:
        distance = [None if row[name] is None else abs(row[name] - SHARES[name]) for row in rows]
    elif name == "bias":
        distance = [None if row[name] is None else abs(row[name]) for row in rows]
    elif name in SMALL_IS_GOOD:
        distance = [row[name] for row in rows]
    else:
        return set()
    most = max((row["n"] for row in rows), default=0)
    able = {
        number: value for number, value in enumerate(distance)
        if value is not None and rows[number]["n"] >= NEARLY_ALL * most
    }  # fmt: skip
    return (
        {number for number, value in able.items() if value == min(able.values())} if len(able) > 1 else set()
    )


def _cell(row: dict[str, Any], name: str) -> dict[str, Any]:
    value = row[name]
    style = "text" if name in TEXT else ""
    if name == "model":
        style += " name"
    if name in LONG:
        style += " wrap"
    if value is None:
        return {"value": NOTHING, "style": f"{style} none", "hint": row.get("reason") or "", "mark": ""}
    hint = ""
    if name in SHARES and abs(value - SHARES[name]) > 0.02 + 1e-12:
        style, hint = f"{style} off", f"{(value - SHARES[name]) * 100:+.1f} points off".replace("-", "−")
    return {"value": number(value, percent=name in PERCENT), "style": style.strip(), "hint": hint, "mark": ""}


def number(value: Any, percent: bool = False) -> str:
    """Return a number as people write it: three digits that matter, thousands apart."""
    if isinstance(value, str):
        return value
    if isinstance(value, int):
        return f"{value:,}"
    if value < 0:
        return "−" + number(-value, percent)
    if percent:
        return f"{value * 100:,.1f}"
    if 0 < value < 0.001:
        return f"{value:.1e}"
    digits = 0 if value >= 1000 else 1 if value >= 100 else 2 if value >= 10 else 3
    return f"{value:,.{digits}f}"


def render(**content: Any) -> str:
    """Return the page. Every text in it is escaped; `pictures` alone, made by drawing.inline, are not."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    return environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(**content)

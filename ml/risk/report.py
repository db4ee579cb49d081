"""What a training of a risk leaves in its folder: model, figures, card, pictures, reasons of some scores."""

from __future__ import annotations

import csv
import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import drift, versions
from . import card as risk_card
from .attributes import KEYS, RULE
from .columns import NUMBER
from .model import RiskModel, load
from .splits import TRAIN
from .table import EVENT, clean, numbers

if TYPE_CHECKING:
    import polars as pl

    from .command import Trained

REFERENCE = "reference.json"  # beside the model: how its training sample was spread
EXPLAINED = 200  # test rows whose reasons are written out: enough to look at, no second copy of the table


def statements(path: Path | None) -> dict[str, str]:
    """Return what a person states for the card, {"(1)(i)": text}; unknown keys are refused."""
    from caregrid.errors import CareGridError

    if path is None:
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CareGridError(f"it cannot be read: {error}", where=str(path), fix="give JSON") from error
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise CareGridError("it is no object of texts", where=str(path), fix='write {"(1)(i)": "text", …}')
    unknown = [key for key in found if key not in KEYS]
    if unknown:
        raise CareGridError(
            f"no attribute is called {', '.join(unknown)}", where=str(path),
            fix=f"the attributes are {', '.join(KEYS)}",
        )  # fmt: skip
    return found


def facts(trained: Trained, table: Path) -> dict[str, Any]:
    """Return what identifies a training; equal inputs give equal facts."""
    roles, model = trained.table.roles, trained.model
    rule = model.calibration.rule if model.calibration is not None else "shift of each quantile"
    return {
        "name": f"risk of {roles.outcome}", "outcome": roles.outcome, "event": roles.positive or "1",
        "kind": model.kind, "split": trained.split.name, "calibration": rule, "rounds": trained.rounds,
        "columns": len(model.columns), "seed": trained.options.seed, "table": table.name,
        "table sha256": hashlib.sha256(table.read_bytes()).hexdigest(), "code": versions.code_version(),
    }  # fmt: skip


def write(trained: Trained, table: Path, stated: dict[str, str], folder: Path) -> None:
    """Write everything into the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    trained.model.save(folder / "model")
    seen = trained.table.frame[np.flatnonzero(trained.split.block == TRAIN)]
    kept = [drift.reference(name, values) for name, values in features(trained.model, seen).items()]
    (folder / "model" / REFERENCE).write_text(json.dumps(drift.as_json(kept)), encoding="utf-8")
    known = facts(trained, table)
    lines = risk_card.attributes(trained, stated)
    (folder / "card.md").write_text(risk_card.as_markdown(trained, lines, known), encoding="utf-8")
    card = {
        "facts": known, "rule": RULE, "attributes": [asdict(line) for line in lines],
        "scores": [asdict(score) for score in trained.scores], "subgroups": trained.subgroups,
        "flagged": trained.flagged, "reliability": trained.reliability or {"refused": trained.refused},
        "told": trained.told,
    }  # fmt: skip
    text = json.dumps(_without_nan(card), indent=1, ensure_ascii=False, allow_nan=False)
    (folder / "card.json").write_text(text, encoding="utf-8")
    _csv(folder / "scores.csv", [asdict(score) for score in trained.scores])
    _csv(folder / "subgroups.csv", trained.subgroups)
    _csv(
        folder / "importance.csv", [{"column": name, "mean_moves": size} for name, size in trained.importance]
    )
    _csv(folder / "reasons.csv", reasons(trained.model, trained.table.frame[trained.test[:EXPLAINED]]))
    if trained.reliability is not None:
        _csv(folder / "reliability.csv", trained.reliability)
    draw(trained, folder)


def reasons(model: RiskModel, frame: pl.DataFrame) -> list[dict[str, Any]]:
    """Return one line per row and reason, the strongest first."""
    return [
        {"row": row, "rank": rank + 1, **one}
        for row, parts in enumerate(model.reasons(frame))
        for rank, one in enumerate(parts)
    ]


def write_scored(model_folder: Path, frame: pl.DataFrame, folder: Path) -> str:
    """Score a table with a saved model into scored.csv, each row with its reasons; return what to tell."""
    from caregrid.errors import CareGridError

    try:
        model = load(model_folder)
    except (OSError, ValueError, KeyError) as error:
        raise CareGridError(
            f"there is no saved model: {error}", where=str(model_folder), fix="give the folder model of --out"
        ) from error
    try:
        lines = scored(model, frame)
    except ValueError as error:
        raise CareGridError(str(error), fix="give the table the columns it was trained with") from error
    folder.mkdir(parents=True, exist_ok=True)
    _csv(folder / "scored.csv", lines)
    told = f"{len(lines)} rows scored into {folder / 'scored.csv'}"
    shifts = moved(model_folder, model, frame)
    if shifts:
        _csv(folder / "drift.csv", [asdict(one) for one in shifts])
        told += f"; {drift.why(shifts, {}) or 'no feature has moved as far as is told'}"
    return told


def features(model: RiskModel, frame: pl.DataFrame) -> dict[str, Any]:
    """Return what a model sees of each of its columns, as `drift` takes it: numbers, or texts."""
    import polars as pl

    cleaned = clean(frame, model.missing)
    return {
        one.name: numbers(cleaned[one.name])
        if one.kind == NUMBER
        else cleaned[one.name].cast(pl.String).to_list()
        for one in model.columns
    }


def moved(model_folder: Path, model: RiskModel, frame: pl.DataFrame) -> list[drift.Shift]:
    """Return how far each feature is from its training sample; empty where none was kept."""
    path = model_folder / REFERENCE
    if not path.is_file():
        return []
    now = features(model, frame)
    kept = drift.from_json(json.loads(path.read_text(encoding="utf-8")))
    return [drift.shift(one, now[one.name]) for one in kept]


def scored(model: RiskModel, frame: pl.DataFrame) -> list[dict[str, Any]]:
    """Return one line per row: score, whether it is flagged, and what moved it most, in words."""
    said = model.score(frame)
    lines = []
    for row, parts in enumerate(model.reasons(frame, 3)):
        words = "; ".join(f"{one['column']} {one['value']} ({one['moves']:+.2f})" for one in parts)
        line: dict[str, Any] = {"row": row}
        if model.kind == EVENT:
            flagged = model.threshold is not None and bool(said[row] >= model.threshold)
            line |= {"probability": float(said[row]), "flagged": flagged}
        else:
            line |= {
                f"q{level:g}": float(value) for level, value in zip(model.quantiles, said[row], strict=True)
            }
        lines.append({**line, "reasons": words})
    return lines


def draw(trained: Trained, folder: Path) -> None:
    """Draw what moves scores most, and the reliability diagram unless it was refused."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib.figure import Figure

    shown = trained.importance[:15][::-1]
    figure = Figure(figsize=(7, 0.3 * len(shown) + 1.2), layout="constrained")
    axes = figure.subplots()
    axes.barh([name for name, _ in shown], [size for _, size in shown])
    axes.set(xlabel="mean absolute TreeSHAP value", title=f"what moves the risk of {trained.model.outcome}")
    figure.savefig(folder / "importance.png", dpi=90, metadata={"Software": None})
    if trained.reliability is None:
        return
    figure = Figure(figsize=(5, 4.5), layout="constrained")
    axes = figure.subplots()
    said, share, low, high = (
        np.array([row[name] for row in trained.reliability]) for name in ("said", "came_true", "low", "high")
    )
    axes.errorbar(said, share, yerr=[share - low, high - share], fmt="o-", capsize=2)
    top = max(float(said.max()), float(high.max())) * 1.05
    axes.plot([0, top], [0, top], color="grey", linewidth=0.8)
    truth = trained.table.outcome[trained.test]
    axes.set(xlabel="probability as said (tenths of the test rows)", ylabel="share that came true")
    axes.set_title(f"{int(truth.sum())} events of {len(truth)} test rows")
    figure.savefig(folder / "reliability.png", dpi=90, metadata={"Software": None})


def _csv(path: Path, rows: list[dict[str, Any]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as stream:
        if rows:
            writer = csv.DictWriter(stream, list(rows[0]))
            writer.writeheader()
            writer.writerows(_without_nan(rows))


def _without_nan(value: Any) -> Any:
    """Return None in place of NaN, which reads like a number."""
    if isinstance(value, dict):
        return {key: _without_nan(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(one) for one in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value

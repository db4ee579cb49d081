"""A fitted risk model: columns, trees, calibration, threshold; it scores, explains, saves and loads."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..reliability import line, log_odds, logistic
from .columns import Column, matrix
from .table import EVENT, MISSING, clean

if TYPE_CHECKING:
    import polars as pl

Floats = np.ndarray

FORM = 1  # of the saved folder
ISOTONIC, PLATT = "isotonic", "platt"
# Isotonic regression overfits where it sees few cases (Niculescu-Mizil & Caruana 2005, ICML), and of rare
# events its ends see few: docs/risk.md has what was measured, on calibration rows alone.
ENOUGH_FOR_ISOTONIC = 5000


@dataclass(frozen=True)
class Calibration:
    """A rising map from raw to calibrated probability.

    Args:
        rule: ISOTONIC (x, y are knots in raw probability and probability) or PLATT (x holds intercept and
            slope on the log-odds).
    """

    rule: str
    x: tuple[float, ...]
    y: tuple[float, ...] = ()

    def apply(self, raw: Floats) -> Floats:
        """Return [row] calibrated probabilities."""
        if self.rule == PLATT:
            return logistic(self.x[0] + self.x[1] * log_odds(raw))
        return np.interp(raw, self.x, self.y)


def calibrate(raw: Floats, event: Floats) -> Calibration:
    """Return the map learned on rows that did not train, by a rule fixed beforehand.

    Isotonic with at least five thousand events and as many others, else Platt's line on the log-odds with his
    smoothed targets (1999, Advances in Large Margin Classifiers). Isotonic steps are joined through their
    centres, which keeps the order of all scores (Oron & Flournoy 2017, Stat. Biopharm. Res. 9).
    """
    count = float(event.sum())
    other = len(event) - count
    if min(count, other) < ENOUGH_FOR_ISOTONIC:
        target = np.where(event > 0, (count + 1) / (count + 2), 1 / (other + 2))
        intercept, slope = line(log_odds(raw), target)
        # A falling line would turn round what the trees found: then only the level holds.
        if slope <= 0:
            slope = 1e-3
            intercept = line(log_odds(raw), target, slope=slope)[0]
        return Calibration(PLATT, (intercept, slope))
    from sklearn.isotonic import isotonic_regression

    order = np.argsort(raw, kind="stable")
    fitted = isotonic_regression(event[order])
    starts = np.flatnonzero(np.diff(fitted, prepend=-1.0) > 0)
    count_of = np.diff(np.append(starts, len(fitted)))
    centre = np.add.reduceat(raw[order], starts) / count_of
    # The outermost steps would be certain of what they saw by half a case: nobody is certain.
    level = np.clip(fitted[starts], 0.5 / count_of, 1 - 0.5 / count_of)
    keep = np.append(True, np.diff(centre) > 0)
    return Calibration(
        ISOTONIC, tuple(map(float, centre[keep])), tuple(map(float, np.maximum.accumulate(level)[keep]))
    )


def threshold_for(probability: Floats, budget: float) -> float | None:
    """Return the lowest probability from which on at most `budget` of the rows are flagged.

    None where not even one may be flagged, or where equal scores at the top are more than the budget.
    """
    values, count = np.unique(probability, return_counts=True)
    above = np.cumsum(count[::-1])[::-1]
    allowed = np.flatnonzero(above <= np.floor(budget * len(probability) + 1e-9))
    return float(values[allowed[0]]) if len(allowed) else None


@dataclass
class RiskModel:
    """What is needed to score, and nothing of the rows it was learned from.

    Args:
        outcome: name of the column, and of the event.
        boosters: one of an event's log-odds, or one per quantile of an amount.
        shifts: [quantile] added to an amount's quantiles.
        floor: the least an amount can be.
        threshold: flagged from this probability on; None: nobody is flagged.
        prevalence: share of events among the training rows.
    """

    outcome: str
    kind: str
    columns: list[Column]
    boosters: list[Any]
    calibration: Calibration | None = None
    quantiles: tuple[float, ...] = ()
    shifts: tuple[float, ...] = ()
    floor: float | None = None
    threshold: float | None = None
    prevalence: float = float("nan")
    missing: tuple[str, ...] = MISSING

    def score(self, frame: pl.DataFrame) -> Floats:
        """Return [row] probabilities of the event, or [row, quantile] of the amount."""
        return self.score_matrix(self.matrix(frame))

    def matrix(self, frame: pl.DataFrame) -> Floats:
        """Return [row, column] of what the trees see.

        Raises:
            ValueError: the frame lacks a column: a score without it would look like one with it.
        """
        lacking = [one.name for one in self.columns if one.name not in frame.columns]
        if lacking:
            raise ValueError(f"the model learned from columns that are not there: {', '.join(lacking)}")
        return matrix(clean(frame, self.missing), self.columns)

    def score_matrix(self, x: Floats) -> Floats:
        """Return scores of rows as `matrix` makes them."""
        raw = np.column_stack([booster.predict(x, num_threads=1) for booster in self.boosters])
        if self.kind == EVENT:
            return self.calibration.apply(raw[:, 0]) if self.calibration is not None else raw[:, 0]
        made = np.sort(raw + np.array(self.shifts or 0.0), axis=1)
        return made if self.floor is None else np.maximum(made, self.floor)

    def contributions(self, frame: pl.DataFrame) -> Floats:
        """Return [row, column + 1] TreeSHAP values; the last is what all rows start from.

        Lundberg et al. (2020), Nature Machine Intelligence 2: a row's values add up to its raw log-odds (or,
        for an amount, to the median before its calibration).
        """
        middle = int(np.argmin(np.abs(np.asarray(self.quantiles) - 0.5))) if self.quantiles else 0
        x = self.matrix(frame)
        return np.asarray(self.boosters[middle].predict(x, num_threads=1, pred_contrib=True))

    def reasons(self, frame: pl.DataFrame, most: int = 5) -> list[list[dict[str, Any]]]:
        """Return per row what moved its score most: the column, its value as text, and by how much."""
        values = self.contributions(frame)[:, :-1]
        cleaned = clean(frame, self.missing)
        texts = [one.text(cleaned[one.name]) for one in self.columns]
        order = np.argsort(-np.abs(values), axis=1, kind="stable")[:, :most]
        return [
            [
                {"column": self.columns[at].name, "value": texts[at][row], "moves": float(values[row, at])}
                for at in order[row] if values[row, at] != 0
            ]
            for row in range(len(values))
        ]  # fmt: skip

    def save(self, folder: Path) -> None:
        """Write model.json and the trees as text."""
        folder.mkdir(parents=True, exist_ok=True)
        kept = {
            "form": FORM, "outcome": self.outcome, "kind": self.kind,
            "columns": [asdict(one) for one in self.columns],
            "calibration": None if self.calibration is None else asdict(self.calibration),
            "quantiles": self.quantiles, "shifts": self.shifts, "floor": self.floor,
            "threshold": self.threshold, "missing": self.missing,
            "prevalence": self.prevalence if np.isfinite(self.prevalence) else None,
            "boosters": len(self.boosters),
        }  # fmt: skip
        (folder / "model.json").write_text(json.dumps(kept, indent=1, ensure_ascii=False), encoding="utf-8")
        for at, booster in enumerate(self.boosters):
            (folder / f"trees_{at}.txt").write_text(booster.model_to_string(), encoding="utf-8")


def load(folder: Path) -> RiskModel:
    """Return a saved model; it scores bit for bit as before."""
    import lightgbm

    kept = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    if kept["form"] != FORM:
        raise ValueError(f"{folder} holds a model of form {kept['form']}, this code reads {FORM}")
    calibration = kept["calibration"]
    boosters = [
        lightgbm.Booster(model_str=(folder / f"trees_{at}.txt").read_text(encoding="utf-8"))
        for at in range(kept["boosters"])
    ]
    return RiskModel(
        outcome=kept["outcome"], kind=kept["kind"],
        columns=[Column(one["name"], one["kind"], tuple(one["levels"])) for one in kept["columns"]],
        boosters=boosters,
        calibration=calibration
        and Calibration(calibration["rule"], tuple(calibration["x"]), tuple(calibration["y"])),
        quantiles=tuple(kept["quantiles"]), shifts=tuple(kept["shifts"]), floor=kept["floor"],
        threshold=kept["threshold"], missing=tuple(kept["missing"]),
        prevalence=float("nan") if kept["prevalence"] is None else kept["prevalence"],
    )  # fmt: skip

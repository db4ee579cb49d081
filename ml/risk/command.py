"""A calibrated risk of an encounter from any table (readmission, admission, length of stay): docs/risk.md."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from .. import folders, reliability
from . import evaluate as risk_evaluate
from . import fit as risk_fit
from . import metrics as risk_metrics
from . import splits as risk_splits
from .evaluate import OURS, Score
from .model import RiskModel, threshold_for
from .splits import CALIBRATE, TEST, TRAIN
from .table import EVENT, MISSING, Roles, Table, prepare, read

Floats = np.ndarray
Progress = Callable[[str], None]

QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)
OTHER_SITES = "other sites"


@dataclass(frozen=True)
class Options:
    """How a model is trained.

    Args:
        alert_budget: share of encounters that may be flagged.
        quantiles: of an amount; ascending, holding 0.5.
        delay_days: after how many days an outcome is known.
        replicates: of the bootstrap.
    """

    alert_budget: float = 0.1
    quantiles: tuple[float, ...] = QUANTILES
    delay_days: float = 0.0
    replicates: int = 300
    seed: int = 20250131


@dataclass
class Trained:
    """A model with everything that tells how good it is.

    Args:
        test: [n] row numbers of the table; said: their scores.
        reliability: the diagram's rows, or None with the reason in `refused`.
        flagged: what the threshold does on the test rows.
        importance: (column, mean absolute TreeSHAP value).
    """

    table: Table
    options: Options
    model: RiskModel
    split: risk_splits.Split
    rounds: int
    test: np.ndarray
    said: Floats
    scores: list[Score]
    subgroups: list[dict[str, object]]
    reliability: list[dict[str, float]] | None
    refused: str | None
    flagged: dict[str, float | None]
    importance: list[tuple[str, float]]
    told: list[str] = field(default_factory=list)


def train(table: Table, options: Options, progress: Progress = lambda line: None) -> Trained:
    """Split, fit, calibrate, choose the threshold, and score on rows that none of this has seen.

    Raises:
        CareGridError: too few rows or events, the outcome in disguise, nothing to learn from.
    """
    from caregrid.errors import CareGridError

    _check(options)
    if options.delay_days and not table.dated:
        raise CareGridError(
            "--outcome-known-after-days counts days, and the rows carry no dates",
            fix="name --time, or leave it out",
        )
    split = risk_splits.split(table, options.seed, options.delay_days)
    too_few = risk_splits.too_few(table, split.block)
    if too_few:
        raise CareGridError(too_few, where=f"split {split.name}", fix="give more encounters")
    block, told = split.block, [*table.told, split.told]
    quantiles = options.quantiles if table.kind != EVENT else ()
    fitted = risk_fit.fit(table, block == TRAIN, block == CALIBRATE, block == TEST, quantiles, options.seed)
    model, test = fitted.model, np.flatnonzero(block == TEST)
    told += fitted.told
    progress(f"{split.name}: {split.told}; {fitted.rounds} rounds")
    said = model.score(table.frame[test])
    if table.kind == EVENT:
        held = model.score(table.frame[np.flatnonzero(block == CALIBRATE)])
        model.threshold = threshold_for(held, options.alert_budget)
        if model.threshold is None:
            told.append(
                f"nobody is flagged: more calibration rows share the highest probability than the budget of "
                f"{options.alert_budget:.0%} allows"
            )
    found = risk_evaluate.scores(
        split.name, table, test, {OURS: said, **fitted.baselines}, model.prevalence, quantiles,
        options.replicates, options.seed,
    )  # fmt: skip
    if table.kind == EVENT:
        found += risk_evaluate.flagging(
            split.name, table, test, said, model.threshold, options.replicates, options.seed
        )
    by_site, why = _other_sites(table, options, block, quantiles, progress)
    truth = table.outcome[test]
    refused = reliability.refusal(truth) if table.kind == EVENT else "an amount has no reliability diagram"
    return Trained(
        table, options, model, split, fitted.rounds, test, said, found + by_site,
        risk_evaluate.subgroups(table, block == TRAIN, test, said, model.threshold, quantiles),
        None
        if refused
        else risk_metrics.diagram(said, truth, table.person[test], options.replicates, options.seed),
        refused,
        risk_evaluate.flagged_figures(said, truth, model.threshold) if table.kind == EVENT else {},
        risk_evaluate.importance(model.contributions(table.frame[test]), model.columns),
        told + why,
    )  # fmt: skip


def _check(options: Options) -> None:
    from caregrid.errors import CareGridError

    levels = options.quantiles
    if not 0 < options.alert_budget < 1:
        raise CareGridError(f"--alert-budget {options.alert_budget} is no share", fix="give one like 0.1")
    if list(levels) != sorted(set(levels)) or 0.5 not in levels or not 0 < levels[0] <= levels[-1] < 1:
        raise CareGridError(
            "--quantiles must ascend between 0 and 1 and hold 0.5", fix="for example 0.1,0.25,0.5,0.75,0.9"
        )


def _other_sites(
    table: Table, options: Options, block: np.ndarray, quantiles: tuple[float, ...], progress: Progress
) -> tuple[list[Score], list[str]]:
    """Score the same test rows by models that saw neither the row's time, nor its person, nor its site."""
    if table.site is None:
        return [], ["no site was named: nothing is said about sites that the model has not seen"]
    folds = risk_splits.site_folds(table.site, options.seed)
    if not folds:
        return [], ["one site only: nothing is said about sites that the model has not seen"]
    rows: list[np.ndarray] = []
    pooled: dict[str, list[Floats]] = {}
    prevalence, weight, told = 0.0, 0, []
    for fold in folds:
        away = np.isin(table.site, fold)
        test = (block == TEST) & away
        if not test.any():
            continue
        few = risk_splits.too_few(table, block, ~away, (TRAIN, CALIBRATE))
        if few:
            told.append(f"sites {', '.join(fold)} are not scored as unseen: without them, {few}")
            continue
        fitted = risk_fit.fit(
            table, (block == TRAIN) & ~away, (block == CALIBRATE) & ~away, test, quantiles, options.seed
        )
        at = np.flatnonzero(test)
        rows.append(at)
        for name, said in {OURS: fitted.model.score(table.frame[at]), **fitted.baselines}.items():
            pooled.setdefault(name, []).append(said)
        prevalence, weight = prevalence + fitted.model.prevalence * len(at), weight + len(at)
        progress(f"{OTHER_SITES}: {len(fold)} left out, {len(at)} test rows")
    if not rows:
        return [], [*told, "no site could be left out"]
    made = {name: np.concatenate(parts) for name, parts in pooled.items()}
    found = risk_evaluate.scores(
        OTHER_SITES, table, np.concatenate(rows), made, prevalence / weight, quantiles, options.replicates,
        options.seed,
    )  # fmt: skip
    return found, told


def _list(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _levels(text: str) -> tuple[float, ...]:
    return tuple(float(part) for part in _list(text))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m ml.risk", description=__doc__)
    add = parser.add_argument
    add("--table", required=True, type=Path, help="CSV (also .gz) or Parquet, one row per encounter")
    add("--outcome", help="column that is to be foretold")
    add("--out", required=True, type=Path, help="folder that is written")
    add("--positive", help="the value of the outcome that is the event; an amount has none")
    add("--time", help="column of the moment at which the score would be made")
    add("--order", help="column of numbers that grows with time, where there is no time")
    add("--site", help="column; whole sites are left out in a second test")
    add("--person", help="column; nobody stands on both sides of a split")
    add("--subgroups", type=_list, default=(), help="columns, parted by commas")
    add("--alert-budget", type=float, default=0.1, help="share of encounters that may be flagged (0.1)")
    add(
        "--known-at-prediction",
        type=_list,
        default=(),
        help="columns known when the score is made; only they teach",
    )
    add("--leave-out", type=_list, default=(), help="columns that may not teach")
    add("--categories", type=_list, default=(), help="columns of numbers that are codes")
    add(
        "--exclude",
        action="append",
        default=[],
        metavar="COLUMN=VALUE,VALUE",
        help="rows outside the population",
    )
    add(
        "--missing",
        type=_list,
        help=f"texts that mean not there ({' '.join(MISSING[1:])}; empty always does)",
    )
    add("--quantiles", type=_levels, default=QUANTILES, help="of an amount (0.1,0.25,0.5,0.75,0.9)")
    add("--outcome-known-after-days", type=float, default=0.0, help="younger rows do not train (0)")
    add("--statements", type=Path, help="JSON of what the model card cannot know by itself")
    add("--model", type=Path, help="score the table with this saved model and train nothing")
    add("--seed", type=int, default=Options.seed)
    add("--replicates", type=int, default=Options.replicates, help="draws of the bootstrap (300)")
    return parser


def roles_of(given: argparse.Namespace) -> Roles:
    """Return the roles that a command line names."""
    from caregrid.errors import CareGridError

    excluded = {}
    for text in given.exclude:
        name, mark, values = text.partition("=")
        if not mark or not values:
            raise CareGridError(f"--exclude {text} names no values", fix="write --exclude COLUMN=VALUE,VALUE")
        excluded[name.strip()] = _list(values)
    return Roles(
        given.outcome, given.positive, given.time, given.order, given.site, given.person, given.subgroups,
        given.known_at_prediction, given.leave_out, given.categories, excluded,
        MISSING if given.missing is None else ("", *given.missing),
    )  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    """Train from a command line, or score with a saved model; return the exit code."""
    from caregrid.errors import CareGridError

    from . import report as risk_report

    given = _parser().parse_args(arguments)
    try:
        folders.made(given.out)
        if given.model is not None:
            with folders.writing(given.out):
                print(risk_report.write_scored(given.model, read(given.table), given.out))
            return 0
        if given.outcome is None:
            raise CareGridError(
                "it is not said what is to be foretold", fix="name --outcome, or --model to score"
            )
        stated = risk_report.statements(given.statements)
        options = Options(
            given.alert_budget, given.quantiles, given.outcome_known_after_days, given.replicates, given.seed
        )
        table = prepare(read(given.table), roles_of(given))
        trained = train(table, options, lambda line: print(line, file=sys.stderr))
        with folders.writing(given.out):
            risk_report.write(trained, given.table, stated, given.out)
        if os.environ.get("MLFLOW_TRACKING_URI"):
            from . import log as risk_log

            version = risk_log.log(trained, given.out)
            print(f"registered in MLflow as version {version}", file=sys.stderr)
    except CareGridError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print((given.out / "card.md").read_text(encoding="utf-8").split("## Source attributes")[0])
    return 0

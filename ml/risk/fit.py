"""Fitting: trees on the training rows, calibrated on others; and the plain models that stand beside them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from . import columns as risk_columns
from .columns import CATEGORY, Column
from .model import RiskModel, calibrate
from .table import EVENT, Table

Floats = np.ndarray

MOST_ROUNDS = 600
PATIENCE = 40
FOLDS = 3
STARTING_SHARE = "prevalence"
LOGISTIC = "logistic regression"
STARTING_QUANTILES = "training quantiles"
RIDGE = "ridge regression"


@dataclass
class Fitted:
    """A model, and the scores of the plain models beside it for the rows that were to be tested.

    Args:
        baselines: {model: [row] or [row, quantile]}.
    """

    model: RiskModel
    rounds: int
    told: list[str]
    baselines: dict[str, Floats]


def fit(
    table: Table, train: np.ndarray, held: np.ndarray, test: np.ndarray, quantiles: tuple[float, ...],
    seed: int,
) -> Fitted:  # fmt: skip
    """Fit on training rows, calibrate on held rows, and score the test rows with the plain models.

    Everything is learned from the rows named: columns and levels from `train`, calibration from `held`.

    Raises:
        CareGridError: a column tells the outcome by itself.
    """
    from caregrid.errors import CareGridError

    roles = table.roles
    seen = table.frame[np.flatnonzero(train)]
    columns, told = risk_columns.learn(seen, table.candidates, roles.categories)
    if not columns:
        raise CareGridError("no column is left to learn from", where="; ".join(told), fix="give more columns")
    x = {name: risk_columns.matrix(table.frame[np.flatnonzero(rows)], columns)
         for name, rows in (("train", train), ("held", held), ("test", test))}  # fmt: skip
    y, person = table.outcome[train], table.person[train]
    event = y if table.kind == EVENT else (y > np.median(y)).astype(float)
    disguised = risk_columns.leaks(x["train"], event, columns, person)
    if disguised:
        named = ", ".join(f"{name} (AUROC {value:.3f})" for name, value in disguised.items())
        raise CareGridError(
            f"a column alone tells the outcome: {named}; it is the outcome in disguise, or came after it",
            where=f"outcome {roles.outcome}",
            fix=f"--leave-out {','.join(disguised)}, or name what is known in time in --known-at-prediction",
        )
    prepared = _Trees(x["train"], y, person, columns, seed)
    if table.kind == EVENT:
        rounds, boosters = prepared.events()
        model = RiskModel(roles.outcome, EVENT, columns, boosters, missing=roles.missing)
        model.prevalence = float(y.mean())
        model.calibration = calibrate(model.score_matrix(x["held"]), table.outcome[held])
        plain = _logistic(x["train"], y, columns)
        said = calibrate(plain(x["held"]), table.outcome[held]).apply(plain(x["test"]))
        beside = {STARTING_SHARE: np.full(int(test.sum()), y.mean()), LOGISTIC: said}
        return Fitted(model, rounds, told, beside)
    rounds, boosters = prepared.amounts(quantiles)
    model = RiskModel(
        roles.outcome, table.kind, columns, boosters, quantiles=quantiles, missing=roles.missing
    )
    model.floor = 0.0 if y.min() >= 0 else None
    # Asymmetric conformalised quantile regression: Romano, Patterson & Candès (2019), NeurIPS 32.
    rest = table.outcome[held][:, None] - model.score_matrix(x["held"])
    model.shifts = tuple(float(np.quantile(rest[:, at], level)) for at, level in enumerate(quantiles))
    ridge = _ridge(x["train"], y, columns)
    spread = np.quantile(table.outcome[held] - ridge(x["held"]), quantiles)
    made = ridge(x["test"])[:, None] + spread[None, :]
    beside = {
        STARTING_QUANTILES: np.tile(np.quantile(y, quantiles), (int(test.sum()), 1)),
        RIDGE: made if model.floor is None else np.maximum(made, model.floor),
    }
    return Fitted(model, rounds, told, beside)


class _Trees:
    """LightGBM on one thread; the number of rounds is what three folds of persons agree on."""

    def __init__(self, x: Floats, y: Floats, person: np.ndarray, columns: list[Column], seed: int) -> None:
        import lightgbm

        self.x, self.y = x, y
        n = len(y)
        least = int(max(5, min(50, n // 60)))
        self.options: dict[str, Any] = {
            "learning_rate": 0.04, "num_leaves": 31 if n >= 5_000 else 7, "min_data_in_leaf": least,
            "feature_fraction": 0.5, "lambda_l2": 5.0, "cat_smooth": 20.0, "cat_l2": 20.0,
            "min_data_per_group": least, "max_cat_threshold": 32, "verbosity": -1, "num_threads": 1,
            "deterministic": True, "force_row_wise": True, "seed": seed,
        }  # fmt: skip
        self.codes = [at for at, column in enumerate(columns) if column.kind == CATEGORY]
        fold_of = np.random.default_rng(seed).integers(0, FOLDS, int(person.max()) + 1)[person]
        self.folds = [
            (np.flatnonzero(fold_of != which), np.flatnonzero(fold_of == which)) for which in range(FOLDS)
        ]
        self.lightgbm = lightgbm

    def events(self) -> tuple[int, list[Any]]:
        """Return the rounds and one booster of the event's log-odds."""
        options = {**self.options, "objective": "binary", "metric": "binary_logloss"}
        rounds = self._rounds(options)
        return rounds, [self._train(options, rounds)]

    def amounts(self, quantiles: tuple[float, ...]) -> tuple[int, list[Any]]:
        """Return the rounds that suit the median, and one booster per quantile."""
        options = {**self.options, "objective": "quantile", "metric": "quantile"}
        rounds = self._rounds({**options, "alpha": 0.5})
        return rounds, [self._train({**options, "alpha": level}, rounds) for level in quantiles]

    def _data(self, rows: np.ndarray | None = None) -> Any:
        x, y = (self.x, self.y) if rows is None else (self.x[rows], self.y[rows])
        return self.lightgbm.Dataset(
            x, y, feature_name=[f"c{at}" for at in range(x.shape[1])], categorical_feature=self.codes,
            params={name: self.options[name] for name in ("verbosity", "num_threads", "min_data_per_group")},
            free_raw_data=True,
        )  # fmt: skip

    def _rounds(self, options: dict[str, Any]) -> int:
        found: Any = self.lightgbm.cv(
            options, self._data(), MOST_ROUNDS, folds=self.folds, shuffle=False, stratified=False,
            callbacks=[self.lightgbm.early_stopping(PATIENCE, verbose=False)],
        )  # fmt: skip
        return max(10, len(next(iter(found.values()))))

    def _train(self, options: dict[str, Any], rounds: int) -> Any:
        made = self.lightgbm.train(options, self._data(), rounds)
        # Read back from its own text: what is saved is what scores.
        return self.lightgbm.Booster(model_str=made.model_to_string())


def _plain(columns: list[Column]) -> Any:
    """Return the preparation of the plain models: one-hot codes, numbers filled, flagged and scaled."""
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    codes = [at for at, column in enumerate(columns) if column.kind == CATEGORY]
    numbers = [at for at, column in enumerate(columns) if column.kind != CATEGORY]
    filled = make_pipeline(SimpleImputer(strategy="median", add_indicator=True), StandardScaler())
    return ColumnTransformer(
        [("codes", OneHotEncoder(handle_unknown="ignore"), codes), ("numbers", filled, numbers)]
    )


def _logistic(x: Floats, y: Floats, columns: list[Column]) -> Any:
    """Return a function from matrix to P(event) by logistic regression."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    model = make_pipeline(_plain(columns), LogisticRegression(C=0.3, max_iter=500)).fit(x, y)
    return lambda rows: model.predict_proba(rows)[:, 1]


def _ridge(x: Floats, y: Floats, columns: list[Column]) -> Any:
    """Return a function from matrix to the mean amount by ridge regression."""
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline

    return make_pipeline(_plain(columns), Ridge(alpha=10.0)).fit(x, y).predict

"""One training in MLflow: a parent run, a child per model, and the version that is registered."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ..gate.promotion import Verdict
from ..recipe.model import FittedCareGrid
from ..warehouse.eligibility import LeftOut
from ..warehouse.scores import Score
from ..warehouse.settings import MODEL_NAME, Settings
from ..warehouse.tested import OURS, Tested
from . import card, explain, plots
from .card import Training
from .run_figures import Stepped, overall, score_table, stepped
from .store import Registered, client, experiment

if TYPE_CHECKING:
    import pandas as pd

MOST_CHILDREN = 20  # more make the comparison page crawl
LONGEST_TAG = 5000
LONGEST_NOTE = 7500  # MLflow cuts a note at 8,000
AT_ONCE = 1000  # metrics per request
CUT = "\n\n… the whole is the artifact card.md"


def log_training(
    run_id: str,
    settings: Settings,
    models: dict[tuple[str, str], FittedCareGrid],
    tests: list[Tested],
    scores: list[Score],
    verdict: Verdict,
    left_out: list[LeftOut],
    tags: dict[str, str],
) -> Registered:
    """Log one training run with everything that tells what it did, and register its models as one version.

    No alias moves: `registry.settle` does that once the run stands in the warehouse.

    Args:
        models: by (grain, feed); at least one.
        scores: of all models; tests: what they were made of.
        tags: what the models were made from: code, lock, loads, cut, data.
    """
    mlflow_client = client()
    import mlflow

    from .served import as_logged

    tags = {
        **tags, "settings": settings.as_json(), "serves": ",".join(verdict.serves), "verdict": verdict.answer,
        "reason": verdict.reason, "caregrid_run_id": run_id, "recipe": settings.fingerprint(),
    }  # fmt: skip
    training = Training(run_id, models, tests, scores, verdict, left_out, tags)
    where = experiment(mlflow_client)
    points = list(stepped(tests))
    with (
        tempfile.TemporaryDirectory() as folder,
        mlflow.start_run(experiment_id=where, run_name=run_id) as run,
    ):
        mlflow_run_id = str(run.info.run_id)
        mlflow.set_tags({key: value[:LONGEST_TAG] for key, value in tags.items()})
        told = parameters(settings, models) | _made_from(tags)
        mlflow.log_params(told)
        mlflow.log_input(_dataset(tags), context="training")
        whole = [(_inserted(name, model), 0, value) for model, name, value in overall(scores)]
        _log_metrics(mlflow_client, mlflow_run_id, [*whole, *_of(points, OURS)])
        mlflow.log_table(score_table(tests), "scores.json")
        if verdict.table:
            mlflow.log_table(_as_table(verdict.table), "gate.json")
        out = Path(folder) / "out"
        out.mkdir()
        _write(training, settings, out)
        mlflow.log_artifacts(str(out))
        logged = mlflow.pyfunc.log_model(name="model", **as_logged(models, Path(folder) / "models"))
        version = str(mlflow.register_model(logged.model_uri, MODEL_NAME, tags=tags).version)
        # The list of versions shows it beside the aliases.
        mlflow_client.update_model_version(MODEL_NAME, version, f"{verdict.answer}: {verdict.reason}")
        written = card.write(training, version)
        mlflow.log_text(written, "card.md")
        mlflow.set_tag("mlflow.note.content", _shortened(written))
        mlflow.set_tag("model_version", version)
    for model in _children(tests):
        whole = [(name, 0, value) for of, name, value in overall(scores) if of == model]
        _child(mlflow_client, where, mlflow_run_id, model, told, [*whole, *_of(points, model)])
    return Registered(version, mlflow_run_id, tags)


def parameters(settings: Settings, models: dict[tuple[str, str], FittedCareGrid]) -> dict[str, Any]:
    """Return what the comparison page of MLflow shows as parameters."""
    found: dict[str, Any] = {"settings": settings.name, "recipe": settings.fingerprint()}
    for name, value in json.loads(settings.as_json()).items():
        if isinstance(value, int | float | str) and name != "name":
            found[f"settings.{name}"] = value
    for grain in sorted({grain for grain, _ in models}):
        own = [fitted for (of, _), fitted in models.items() if of == grain]
        found[f"{grain}.feeds"] = len(own)
        found[f"{grain}.series"] = sum(len(fitted.ids) for fitted in own)
        found[f"{grain}.horizon"] = max(fitted.horizon for fitted in own)
        found[f"{grain}.features"] = max(len(fitted.feature_names) for fitted in own)
        for name in ("rows", "rounds", "leaves", "learning_rate", "bags"):
            found[f"{grain}.{name}"] = getattr(own[0].configuration, name)
    return found


def _dataset(tags: dict[str, str]) -> Any:
    """Return what MLflow shows in the column of data sets: the digest of the values that were read."""
    from mlflow.data.code_dataset_source import CodeDatasetSource
    from mlflow.data.meta_dataset import MetaDataset

    known = {name: tags[name] for name in ("known_at_cut", "load_ids", "data_sha256") if name in tags}
    # MLflow holds 36 characters of a digest.
    digest = tags["data_sha256"][:32] if "data_sha256" in tags else None
    # Its one abstract method has a body in the base of all data sets.
    return MetaDataset(CodeDatasetSource(known), name="warehouse", digest=digest)  # type: ignore[abstract]


def _made_from(tags: dict[str, str]) -> dict[str, str]:
    return {name: tags[name] for name in ("code_version", "data_sha256", "lock_sha256") if name in tags}


def _write(training: Training, settings: Settings, out: Path) -> None:
    """Write the files of a run: settings, cuts, scores, what was left out, features, pictures."""
    import pandas as pd

    pd.DataFrame([vars(score) for score in training.scores]).to_csv(out / "scores.csv", index=False)
    left = pd.DataFrame([vars(one) for one in training.left_out], columns=["series_id", "reason", "detail"])
    left.to_csv(out / "left_out.csv", index=False)
    (out / "settings.json").write_text(settings.as_json(), encoding="utf-8")
    cuts = {f"{test.grain} {test.feed}": test.cuts for test in training.tests}
    (out / "cuts.json").write_text(json.dumps(cuts), encoding="utf-8")
    features = {f"{grain} {feed}": one.feature_names for (grain, feed), one in training.models.items()}
    (out / "features.json").write_text(json.dumps(features, indent=1), encoding="utf-8")
    plots.draw(training.tests, out)
    shap = out / "shap"
    shap.mkdir()
    for grain, feed in explain.chosen(training.models):
        told = explain.importance(training.models[grain, feed])
        name = f"{grain}_{quote(feed, safe='')}"
        frame = pd.DataFrame(told, columns=["feature", "mean_absolute_shap"])
        frame.to_csv(shap / f"{name}.csv", index=False)
        explain.draw(told, f"{grain}, {feed}", shap / f"{name}.png")


def _children(tests: list[Tested]) -> list[str]:
    """Return the models that get a run of their own, ours first."""
    there = {model for test in tests for model in test.cells.models}
    return sorted(there, key=lambda model: (model != OURS, model))[:MOST_CHILDREN]


def _child(
    mlflow_client: Any, experiment_id: str, parent: str, model: str, told: dict[str, Any],
    metrics: Iterable[tuple[str, int, float]],
) -> None:  # fmt: skip
    from mlflow.entities import Param
    from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

    made = mlflow_client.create_run(experiment_id, tags={MLFLOW_PARENT_RUN_ID: parent}, run_name=model)
    # A baseline has none of the recipe's parameters; what all were tested on is shared.
    shared = told if model == OURS else {name: told[name] for name in _made_from(told)}
    params = [Param(name, str(value)) for name, value in {"model": model, **shared}.items()]
    mlflow_client.log_batch(made.info.run_id, params=params)
    _log_metrics(mlflow_client, made.info.run_id, metrics)
    mlflow_client.set_terminated(made.info.run_id)


def _log_metrics(mlflow_client: Any, run_id: str, points: Iterable[tuple[str, int, float]]) -> None:
    from mlflow.entities import Metric

    now = int(time.time() * 1000)
    made = [Metric(name, value, now, step) for name, step, value in points]
    for begin in range(0, len(made), AT_ONCE):
        mlflow_client.log_batch(run_id, metrics=made[begin : begin + AT_ONCE])


def _of(points: list[Stepped], model: str) -> list[tuple[str, int, float]]:
    return [(point.name, point.step, point.value) for point in points if point.model == model]


def _inserted(name: str, model: str) -> str:
    """Return `day/caregrid/mase` of `day/mase`: a parent shows all models."""
    grain, metric = name.rsplit("/", 1)
    return f"{grain}/{model}/{metric}"


def _as_table(rows: list[dict[str, Any]]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(rows)


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST_NOTE else text[: LONGEST_NOTE - len(CUT)] + CUT

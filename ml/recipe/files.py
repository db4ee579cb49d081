"""Fitted models as files without a pickle: trees as LightGBM's text, the rest as JSON and NPZ.

Beside them stands what each file held when it was written: LightGBM ends the whole process at a text that was
cut short, and a feed whose file is gone would look like one that was never learned.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

import numpy as np

from .. import drift
from .configuration import Configuration
from .errors import Spread
from .model import FittedCareGrid
from .points import Blend, Ridge

if TYPE_CHECKING:
    from lightgbm import Booster

TOLD, ARRAYS, SIZES = "model.json", "arrays.npz", "spread.txt"
HELD = "sha256.json"  # of every other file, by its path in the folder


def save(fitted: FittedCareGrid, folder: Path) -> None:
    """Write a fitted model into a folder of its own; what it remembers of a panel is not kept."""
    folder.mkdir(parents=True, exist_ok=True)
    told: dict[str, Any] = {
        "configuration": asdict(fitted.configuration), "ids": fitted.ids, "horizon": fitted.horizon,
        "trained_until": fitted.trained_until,
        "country": fitted.country, "levels": fitted.levels, "feature_names": fitted.feature_names,
        "references": drift.as_json(fitted.references),
    }  # fmt: skip
    arrays: dict[str, np.ndarray] = {}
    if fitted.sample_rows is not None:
        arrays["sample_rows"] = fitted.sample_rows
    if fitted.blend is not None:
        blend, ridge = fitted.blend, fitted.blend.ridge
        arrays |= {"ridge_mean": ridge.mean, "ridge_spread": ridge.spread, "ridge_weights": ridge.weights}
        told["blend"] = {
            "weight": blend.weight, "linear": blend.linear, "longest": ridge.longest,
            "hourly": ridge.hourly, "trees": len(blend.trees),
        }  # fmt: skip
        for number, tree in enumerate(blend.trees):
            tree.save_model(str(folder / _tree(number)))
    if fitted.spread is not None:
        spread = fitted.spread
        arrays["shapes"] = spread.shapes
        told["spread"] = {
            "factors": spread.factors, "bands": spread.bands, "longest": spread.longest,
            "sizes": spread.sizes is not None,
        }  # fmt: skip
        if spread.sizes is not None:
            spread.sizes.save_model(str(folder / SIZES))
    (folder / TOLD).write_text(json.dumps(told), encoding="utf-8")
    np.savez(folder / ARRAYS, **arrays)  # type: ignore[arg-type]


def load(folder: Path) -> FittedCareGrid:
    """Return the model that was saved; it answers every panel with the very same numbers."""
    told = json.loads((folder / TOLD).read_text(encoding="utf-8"))
    with np.load(folder / ARRAYS, allow_pickle=False) as found:
        arrays = {name: found[name] for name in found.files}
    configuration = {name: _frozen(value) for name, value in told["configuration"].items()}
    return FittedCareGrid(
        Configuration(**configuration),
        told["ids"],
        blend=_blend(told["blend"], arrays, folder) if "blend" in told else None,
        spread=_spread(told["spread"], arrays, folder) if "spread" in told else None,
        horizon=told["horizon"],
        trained_until=told["trained_until"],
        country=told["country"],
        levels=told["levels"],
        feature_names=told["feature_names"],
        references=drift.from_json(told["references"]),
        sample_rows=arrays.get("sample_rows"),
    )


def save_all(models: dict[tuple[str, str], FittedCareGrid], folder: Path) -> None:
    """Write the models of several (grain, feed), each into a folder of its own."""
    for (grain, feed), fitted in models.items():
        save(fitted, folder / grain / quote(feed, safe=""))
    held = {path.relative_to(folder).as_posix(): _sha256(path) for path in _files(folder)}
    (folder / HELD).write_text(json.dumps(held), encoding="utf-8")


def load_all(folder: Path) -> dict[tuple[str, str], FittedCareGrid]:
    """Return the models of `save_all`.

    Raises:
        ValueError: a file is gone, or is not what was written.
    """
    # Models of releases that did not say what they wrote are read as they are.
    if (folder / HELD).is_file():
        held = json.loads((folder / HELD).read_text(encoding="utf-8"))
        for name, sha256 in held.items():
            if not (folder / name).is_file():
                raise ValueError(f"{name} is gone")
            if _sha256(folder / name) != sha256:
                raise ValueError(f"{name} is not what was written: it was cut short or changed")
    folders = sorted(path.parent for path in folder.glob(f"*/*/{TOLD}"))
    return {(one.parent.name, unquote(one.name)): load(one) for one in folders}


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.name != HELD)


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _blend(told: dict[str, Any], arrays: dict[str, np.ndarray], folder: Path) -> Blend:
    ridge = Ridge(
        arrays["ridge_mean"], arrays["ridge_spread"], arrays["ridge_weights"], told["longest"], told["hourly"]
    )
    trees = [_booster(folder / _tree(number)) for number in range(told["trees"])]
    return Blend(ridge, trees, told["weight"], told["linear"])


def _spread(told: dict[str, Any], arrays: dict[str, np.ndarray], folder: Path) -> Spread:
    sizes = _booster(folder / SIZES) if told["sizes"] else None
    return Spread(sizes, told["factors"], arrays["shapes"], tuple(told["bands"]), told["longest"])


def _booster(file: Path) -> Booster:
    import lightgbm as lgb

    return lgb.Booster(model_file=str(file))


def _tree(number: int) -> str:
    return f"trees_{number}.txt"


def _frozen(value: Any) -> Any:
    """Return what JSON made a list of as the tuple that it was."""
    return tuple(_frozen(one) for one in value) if isinstance(value, list) else value

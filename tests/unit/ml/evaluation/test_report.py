"""The report: every file is there, the page stands alone, names do no harm, empty parts say why."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from lxml import etree, html

from ml.evaluation import joint, page, report, scores, telling
from ml.evaluation.reading import read
from tests.unit.ml.evaluation import tables

pytestmark = pytest.mark.unit

LEVELS = (0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975)
EDGES = np.array([-1.96, -1.28, -0.674, 0, 0.674, 1.28, 1.96])
EVIL = "<script>alert('1')</script> & $x_1$ \"台北\""
STEPS, CUTOFFS = 3, 6


def given(tmp_path: Path, names: tuple[str, ...] = ("caregrid", "base", EVIL)) -> dict[str, Any]:
    """Return what `write` takes, but for `out` and `info`: two series, of which one has an evil name."""
    random = np.random.default_rng(5)
    rows, known, drawn, errors, held = [], [], [], [], []
    for number in range(CUTOFFS):
        cutoff = tables.CUTOFF + number * 10 * tables.DAY
        truth = {
            (series, step): float(random.normal(20, 4))
            for series in ("one", EVIL)
            for step in range(STEPS + 1)
        }
        known.append(tables.truth(truth, cutoff))
        said = {
            name: (LEVELS, {(series, step): tuple(20 + place + (4 + place) * EDGES)
                            for series in ("one", EVIL) for step in range(1, STEPS + 1)})
            for place, name in enumerate(names)
        }  # fmt: skip
        rows.append(tables.forecasts(said, cutoff))
        errors.append(tables.history({"one": 4, EVIL: 5}, cutoff))
        held += [(series, cutoff, 22.0) for series in ("one", EVIL)]
        drawn += [
            (cutoff, names[0], path, series, cutoff + step * tables.DAY, float(random.normal(20, 4)))
            for path in range(20) for series in ("one", EVIL) for step in range(1, STEPS + 1)
        ]  # fmt: skip
    pl.concat(rows).write_parquet(tmp_path / "forecasts.parquet")
    pl.DataFrame(drawn, schema=list(joint.COLUMNS), orient="row").write_parquet(tmp_path / "paths.parquet")
    return {
        "forecasts": tmp_path / "forecasts.parquet",
        "paths": tmp_path / "paths.parquet",
        "truth": pl.concat(known),
        "history": pl.concat(errors),
        "capacity": pl.DataFrame(held, schema=["unique_id", "cutoff", "capacity"], orient="row"),
    }


INFO: dict[str, Any] = {
    "frequency": "D", "baseline": "base", "kind": "stock", "vintages_assumed": True, "publication_lag": "1D",
    "command": f"python -m ml.backtest --series '{EVIL}'", "notes": [EVIL], "absent_models": {"other": EVIL},
    "left_out": {"location that is no series of ours": 7}, "fingerprints": {"caregrid": "0123abcd"},
    "asked": {"series": EVIL, "horizon": 3}, "title": EVIL,
}  # fmt: skip


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    report.write(folder / "out", **given(folder), info=INFO)
    return folder / "out"


def test_tables_and_pictures_stand_beside_the_page(out: Path) -> None:
    assert {path.name for path in out.glob("*.csv")} == {
        "scores.csv", "by_series.csv", "by_cutoff.csv", "by_period.csv", "steepest.csv", "calibration.csv",
        "decisions.csv", "joint.csv", "events.csv", "path_checks.csv",
    }  # fmt: skip
    assert {path.name for path in out.glob("plots/*.svg")} == {f"{name}.svg" for name in report.DRAWN}
    for path in out.glob("plots/*.svg"):
        etree.parse(path)
    for path in out.glob("*.csv"):
        for row in csv.reader(path.read_text(encoding="utf-8").splitlines()):
            assert not {"nan", "inf", "-inf"} & {cell.lower() for cell in row}
    rows = list(csv.DictReader((out / "scores.csv").read_text(encoding="utf-8").splitlines()))
    assert len(rows) == 3 * (1 + STEPS)
    wanted = (
        "model,horizon,n,mae,rmse,mape,mase,wis,wis_log1p,rwis,rwis_pairwise,cov50,cov80,cov95,width95,bias"
    )
    assert set(wanted.split(",")) <= set(rows[0])


def test_the_page_stands_alone_and_names_do_no_harm(out: Path) -> None:
    text = (out / "report.html").read_text(encoding="utf-8")
    tree = html.fromstring(text)
    assert not tree.xpath("//script | //link | //img | //iframe | //object")
    assert not re.findall(r"(?:href|src)\s*=\s*[\"'](?!#)", text)
    assert "url(http" not in text
    # the name is there, as text, in the title, the tables and the pictures
    shown = "".join(tree.itertext())
    assert tree.findtext(".//title") == EVIL
    assert shown.count("<script>alert('1')") > 8
    ids = [element.get("id") for element in tree.iter() if isinstance(element.tag, str) and element.get("id")]
    assert len(ids) == len(set(ids))
    for link in tree.xpath("//a/@href"):
        assert link.removeprefix("#") in ids
    assert "0123abcd" in shown
    assert "location that is no series of ours: 7" in shown
    assert "Vintages are assumed" in shown
    assert "known 1D after its period" in shown


def test_the_page_shows_the_figures_of_the_table(out: Path) -> None:
    tree = html.fromstring((out / "report.html").read_text(encoding="utf-8"))
    table = tree.xpath("//h2[@id='scores']/following::table[1]")[0]
    rows = {row.xpath("string(td[1])"): [cell.xpath("string()") for cell in row.xpath("td")] for row in
            table.xpath(".//tbody/tr")}  # fmt: skip
    whole = pl.read_csv(out / "scores.csv").filter(pl.col("horizon") == "all")
    assert len(rows) == 3
    for name, wis in whole.select("model", "wis").iter_rows():
        cells = next(cells for shown, cells in rows.items() if shown.startswith(name))
        assert page.number(wis) in cells
    ours = table.xpath(".//tr[@class='ours']")
    assert [row.xpath("string(td[1])") for row in ours] == ["caregrid"]


def test_the_same_run_gives_the_same_page(out: Path, tmp_path: Path) -> None:
    report.write(tmp_path / "again", **given(tmp_path), info=INFO)
    for name in ("report.html", "plots/fans.svg", "scores.csv"):
        assert (tmp_path / "again" / name).read_bytes() == (out / name).read_bytes()


def test_without_paths_capacity_or_ours_the_page_says_so(tmp_path: Path) -> None:
    stuff = given(tmp_path, ("x", "base")) | {"paths": None, "capacity": None}
    report.write(tmp_path / "out", **stuff, info={"frequency": "H", "baseline": "base"})
    shown = "".join(
        html.fromstring((tmp_path / "out" / "report.html").read_text(encoding="utf-8")).itertext()
    )
    assert "No paths were given." in shown
    assert "No capacity was given" in shown
    assert not (tmp_path / "out" / "decisions.csv").exists()
    # nobody is ours; the page looks at the best
    whole = pl.read_csv(tmp_path / "out" / "scores.csv").filter(pl.col("horizon") == "all").sort("wis")
    assert f"looks closest at {whole['model'][0]}." in shown


@pytest.mark.parametrize(
    ("case", "frequency"),
    [("no baseline", "D"), ("medians only", "W"), ("all zero", "M"), ("one cell", "H"), ("no overlap", "D")],
)
def test_odd_forecasts_get_a_page_all_the_same(tmp_path: Path, case: str, frequency: str) -> None:
    levels: tuple[float, ...] = LEVELS
    cells = {("x", step): tuple(10 + EDGES) for step in (1, 2)}
    known = {("x", step): 10.0 for step in (0, 1, 2)}
    said: dict[str, Any] = {"base": (levels, cells), "m": (levels, cells)}
    if case == "no baseline":
        del said["base"]
    elif case == "medians only":
        said = {name: ((0.5,), dict.fromkeys(cells, (10,))) for name in said}
    elif case == "all zero":
        known = dict.fromkeys(known, 0.0)
        said["base"] = (levels, dict.fromkeys(cells, (0,) * 7))
    elif case == "one cell":
        known = {("x", 1): 4.0}
    else:
        said = {"base": (levels, {("x", 1): cells["x", 1]}), "m": (levels, {("x", 2): cells["x", 2]})}
    tables.forecasts(said).write_parquet(tmp_path / "forecasts.parquet")
    held = pl.DataFrame([("x", tables.CUTOFF, 9.0)], schema=["unique_id", "cutoff", "capacity"], orient="row")
    report.write(
        tmp_path / "out", tmp_path / "forecasts.parquet", None, tables.truth(known), tables.history({}), held,
        {"frequency": frequency, "baseline": "base"},
    )  # fmt: skip
    text = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    shown = "".join(html.fromstring(text).itertext())
    assert not re.search(r"\b(nan|inf|None)\b", shown)
    if case == "no overlap":
        assert "no cell that both have" in shown
    if case == "no baseline":
        assert "there are no forecasts of the baseline base" in shown


def test_models_on_other_quantiles_than_the_baseline_are_told(tmp_path: Path) -> None:
    cells = {("x", 1): (8, 10, 12)}
    said = {"base": ((0.25, 0.5, 0.75), cells), "m": ((0.1, 0.5, 0.9), cells)}
    found = telling.notes(
        read(tables.forecasts(said), tables.truth({("x", 1): 9})), pl.DataFrame(), {"baseline": "base"}
    )
    assert [line for line in found if "unlike sums" in line] == [
        "m: scored on its own 3 quantiles, the baseline on 3: their ratio compares unlike sums"
    ]


def test_the_command_is_told_from_what_was_asked() -> None:
    asked = {
        "series": "a b.csv", "freq": "D", "known_in_advance": ["x", "y"], "publication_lag": None,
        "counts_of_events": True, "hierarchy": "", "data_sha256": "0", "quantiles": [0.5],
    }  # fmt: skip
    said = telling.command({"asked": asked})
    assert said == (
        "python -m ml.backtest --series 'a b.csv' --freq D --known-in-advance x y --counts-of-events"
    )
    assert telling.command({"asked": asked, "command": "as it was"}) == "as it was"


def test_best_is_marked_among_models_with_nearly_all_cells_only() -> None:
    said = {
        "full": ((0.5,), {("x", step): (10,) for step in range(1, 5)}),
        "other": ((0.5,), {("x", step): (12,) for step in range(1, 5)}),
        "lucky": ((0.5,), {("x", 1): (11,)}),
    }
    table = scores.score_table(
        tables.forecasts(said),
        tables.truth({("x", step): 11 if step == 1 else 9 for step in range(1, 5)}),
        None,
        "full",
    ).filter(pl.col("horizon") == "all")
    made = page.sheet(table, ("model", "mae"), None, "full", best=True)
    marked = [row["cells"][0]["value"] for row in made.rows if "best" in row["cells"][1]["style"]]
    assert marked == ["full"]


@pytest.mark.parametrize(
    ("value", "percent", "text"),
    [
        (11850, False, "11,850"), (0.64734, False, "0.647"), (92.1677, False, "92.17"),
        (1234.6, False, "1,235"), (-0.5, False, "−0.500"), (0.9018, True, "90.2"),
        (0.00004, False, "4.0e-05"), (0.0, False, "0.000"),
    ],
)  # fmt: skip
def test_numbers_are_written_as_people_read_them(value: float, percent: bool, text: str) -> None:
    assert page.number(value, percent) == text

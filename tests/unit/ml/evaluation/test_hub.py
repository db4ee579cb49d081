"""The hubs' files: read as they are, placed by target and horizon, written as a real submission is."""

from __future__ import annotations

import gzip
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from caregrid.errors import CareGridError
from caregrid.paths import feeds_base

from ml.evaluation import hub, scores
from tests.unit.ml.evaluation import tables

pytestmark = pytest.mark.unit

SUBMISSIONS = feeds_base() / "us_flusight" / "model-output"
TARGET = "wk inc flu hosp"
HEAD = ",".join(hub.COLUMNS)
# reference date 2024-11-23: hub horizon 0 is the week that ends on it
FIRST = "2024-11-23"
ROWS = [
    f"{FIRST},01,0,{TARGET},2024-11-23,quantile,0.25,4",
    f"{FIRST},01,0,{TARGET},2024-11-23,quantile,0.5,5",
    f"{FIRST},01,1,{TARGET},2024-11-30,quantile,0.25,5",
    f"{FIRST},01,1,{TARGET},2024-11-30,quantile,0.5,6",
]
OTHERS = [
    f"{FIRST},01,-1,{TARGET},2024-11-16,quantile,0.5,5",
    f"{FIRST},99,0,{TARGET},2024-11-23,quantile,0.5,5",
    f"{FIRST},01,0,{TARGET},2024-11-23,sample,1,5",
    f"{FIRST},01,NA,peak week inc flu hosp,NA,pmf,2025-01-04,0.2",
    f"{FIRST},01,NA,peak inc flu hosp,NA,quantile,0.5,900",
]


def ours() -> pl.DataFrame:
    """Return our cells: series 01, cutoffs 2024-11-16 and a week later, two weeks ahead each."""
    start = datetime.fromisoformat("2024-11-16")
    rows = [
        ("01", start + timedelta(weeks=late), start + timedelta(weeks=late + step), step, "caregrid")
        for late in (0, 1)
        for step in (1, 2)
    ]
    return pl.DataFrame(rows, schema=["unique_id", "cutoff", "ds", "horizon", "model"], orient="row")


def submit(folder: Path, rows: list[str], name: str = f"{FIRST}-Team-model.csv", head: str = HEAD) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    text = "\n".join([head, *rows]) + "\n"
    path = folder / name
    if name.endswith(".gz"):
        path.write_bytes(gzip.compress(text.encode()))
    elif name.endswith(".parquet"):
        pl.read_csv(
            text.encode(), null_values=["NA"], schema_overrides={"location": pl.String}
        ).write_parquet(path)
    else:
        path.write_text(text)
    return path


@pytest.mark.parametrize("ending", [".csv", ".csv.gz", ".parquet"])
def test_a_submission_stands_beside_the_cutoff_whose_target_it_is(tmp_path: Path, ending: str) -> None:
    rows = ROWS if ending == ".parquet" else ROWS + OTHERS
    submit(tmp_path / "Team-model", rows, f"{FIRST}-Team-model{ending}")
    found = hub.read(tmp_path)
    placed = hub.align(found, ours()).sort("horizon", "quantile")
    assert placed["model"].unique().to_list() == ["Team-model"]
    # week of the reference date: the first after the cutoff a week before, not the second before that
    assert placed["cutoff"].unique().to_list() == [datetime.fromisoformat("2024-11-16")]
    assert placed.select("horizon", "quantile", "value").rows() == [
        (1, 0.25, 4), (1, 0.5, 5), (2, 0.25, 5), (2, 0.5, 6),
    ]  # fmt: skip
    if ending != ".parquet":
        assert dict(found.left_out) == {
            "output type sample": 1,
            "output type pmf": 1,
            "target peak inc flu hosp, which has no horizon": 1,
            "horizon that is none of ours": 1,
            "location that is no series of ours": 1,
        }


def test_another_count_of_horizons_is_an_option(tmp_path: Path) -> None:
    submit(tmp_path, [ROWS[2], ROWS[3]])
    # horizon 1 as the first step: the target 2024-11-30 is then a week after the later cutoff
    placed = hub.align(hub.read(tmp_path), ours(), steps_ahead=0)
    assert placed["cutoff"].unique().to_list() == [datetime.fromisoformat("2024-11-23")]


def test_the_model_is_named_by_the_file_or_else_by_its_folder(tmp_path: Path) -> None:
    assert hub.model_name(tmp_path / "heap" / f"{FIRST}-Team-model.CSV.gz") == "Team-model"
    assert hub.model_name(tmp_path / "Team-model" / "forecast.parquet") == "Team-model"


@pytest.mark.parametrize(
    ("rows", "head", "told"),
    [
        ([], HEAD, "quantiles of 0 targets"),
        (ROWS, HEAD.replace("location", "place"), "lacks location"),
        ([ROWS[0].replace(",4", ",four")], HEAD, "1 rows have no date, level or number"),
        ([ROWS[0].replace("2024-11-23,quantile", "23.11.2024,quantile")], HEAD, "'23.11.2024'"),
        ([ROWS[0].replace("0.25", "1.25")], HEAD, "'1.25'"),
        ([ROWS[0], ROWS[1].replace(TARGET, "wk inc covid hosp")], HEAD, "wk inc covid hosp, wk inc flu hosp"),
    ],
)
def test_what_is_no_submission_is_refused(tmp_path: Path, rows: list[str], head: str, told: str) -> None:
    submit(tmp_path, rows, head=head)
    with pytest.raises(CareGridError, match="fix:") as refused:
        hub.read(tmp_path)
    assert told in str(refused.value)


@pytest.mark.parametrize("name", [f"{FIRST}-T-m.csv.gz", f"{FIRST}-T-m.parquet", f"{FIRST}-T-m.csv"])
@pytest.mark.parametrize("content", [b"", b"\x1f\x8b\x08\x00broken", bytes(range(256)) * 4])
def test_a_file_that_is_none_is_refused_by_name(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(CareGridError, match="fix:") as refused:
        hub.read(tmp_path)
    assert refused.value.where == str(tmp_path / name)


def test_a_directory_without_submissions_is_refused(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("none here")
    for folder in (tmp_path, tmp_path / "absent"):
        with pytest.raises(CareGridError, match="name the folder of the submissions"):
            hub.read(folder)


def test_nothing_in_common_is_refused_in_words(tmp_path: Path) -> None:
    submit(tmp_path, [ROWS[0].replace(",01,", ",02,")])
    with pytest.raises(CareGridError, match="location that is no series of ours: 1 rows"):
        hub.align(hub.read(tmp_path), ours())


def test_a_model_named_as_ours_is_refused(tmp_path: Path) -> None:
    submit(tmp_path, ROWS, f"{FIRST}-caregrid.csv")
    with pytest.raises(CareGridError, match="caregrid is the name of a model of ours"):
        hub.align(hub.read(tmp_path), ours())


def test_what_is_exported_reads_back_the_same(tmp_path: Path) -> None:
    rows = hub.align(hub.read(submit(tmp_path / "in" / "T-m", ROWS).parent), ours()).with_columns(
        model=pl.lit("caregrid")
    )
    paths, left_out = hub.export(rows, "caregrid", TARGET, tmp_path / "out", name="Care-grid")
    assert [str(path.relative_to(tmp_path)) for path in paths] == [f"out/Care-grid/{FIRST}-Care-grid.csv"]
    assert not left_out
    again = hub.align(hub.read(tmp_path / "out"), ours())
    assert again.drop("model").sort(pl.all()).equals(rows.drop("model").sort(pl.all()))


def test_series_without_a_location_are_told(tmp_path: Path) -> None:
    rows = pl.concat(tables.forecasts({"m": ((0.25, 0.5), {(name, 1): (1, 2)})}) for name in ("a", "b"))
    paths, left_out = hub.export(rows, "m", TARGET, tmp_path, locations={"a": "01"})
    assert left_out == {"series b has no location": 2}
    assert pl.read_csv(paths[0], infer_schema=False)["location"].unique().to_list() == ["01"]
    with pytest.raises(CareGridError, match="no cutoff has the reference date 2030-01-05"):
        hub.export(rows, "m", TARGET, tmp_path, reference_dates=["2030-01-05"])


@pytest.mark.skipif(not SUBMISSIONS.is_dir(), reason=f"no mirror of the feeds in {feeds_base()}")
def test_an_export_has_the_form_of_a_real_submission(tmp_path: Path) -> None:
    name = "2024-11-23-FluSight-ensemble.csv.gz"
    real = pl.read_csv(SUBMISSIONS / "FluSight-ensemble" / name, infer_schema=False).filter(
        (pl.col("output_type") == "quantile") & (pl.col("target") == TARGET)
        & pl.col("horizon").is_in(["0", "1"]) & (pl.col("location") == "01")
    )  # fmt: skip
    found = hub.read(SUBMISSIONS / "FluSight-ensemble", TARGET)
    placed = hub.align(found, ours()).filter(pl.col("cutoff") == datetime.fromisoformat("2024-11-16"))
    paths, _ = hub.export(placed, "FluSight-ensemble", TARGET, tmp_path)
    assert [path.name for path in paths] == [name.removesuffix(".gz")]
    written = pl.read_csv(paths[0], infer_schema=False)
    # every field but the value, which is a number however it is written, is the very text
    fields = [column for column in hub.COLUMNS if column != "value"]
    assert len(written) == 2 * 23
    assert set(written.columns) == set(real.columns)
    key = ["horizon", "output_type_id"]
    assert written.select(fields).sort(key).equals(real.select(fields).sort(key))
    values = [frame.sort(key)["value"].cast(pl.Float64).to_list() for frame in (written, real)]
    assert values[0] == pytest.approx(values[1])


@pytest.mark.skipif(not SUBMISSIONS.is_dir(), reason=f"no mirror of the feeds in {feeds_base()}")
def test_the_hub_s_teams_are_scored_by_the_same_table(tmp_path: Path) -> None:
    found = hub.read(SUBMISSIONS)
    rows = hub.align(found, ours())
    known = pl.DataFrame(
        [("01", datetime.fromisoformat(f"2024-11-{day}"), 9.0) for day in (23, 30)],
        schema=["unique_id", "ds", "y"],
        orient="row",
    )
    table = scores.score_table(rows, known, None, "FluSight-baseline").filter(pl.col("horizon") == "all")
    assert set(table["model"]) == {"FluSight-baseline", "FluSight-ensemble", "UMass-flusion"}
    # two cutoffs, of which one has a second week with known truth
    assert table["n"].to_list() == [3, 3, 3]
    assert table.filter(pl.col("model") == "FluSight-baseline")["rwis"].item() == 1

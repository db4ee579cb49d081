"""A training from table to folder: what it finds, what it writes, and both the same way twice."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from caregrid.errors import CareGridError

from ml.risk import (
    attributes as risk_attributes,
)
from ml.risk import (
    card as risk_card,
)
from ml.risk import (
    command as risk,
)
from ml.risk import (
    model as risk_model,
)
from ml.risk import (
    report as risk_report,
)
from ml.risk.evaluate import OURS
from ml.risk.fit import LOGISTIC, STARTING_QUANTILES, STARTING_SHARE
from ml.risk.table import prepare
from tests.unit.ml.encounters import ROLES, encounters

pytestmark = pytest.mark.unit
OPTIONS = risk.Options(replicates=40)


@pytest.fixture(scope="module")
def trained() -> risk.Trained:
    return risk.train(prepare(encounters(3000), ROLES), OPTIONS)


def _value(found: risk.Trained, split: str, model: str, metric: str) -> float:
    (value,) = [
        one.value for one in found.scores if (one.split, one.model, one.metric) == (split, model, metric)
    ]
    assert value is not None
    return value


def test_it_comes_near_the_risk_that_made_the_data(trained: risk.Trained) -> None:
    from ml.risk.metrics import auroc

    rows = trained.table.frame[trained.test]
    age, earlier = (rows[name].cast(pl.Float64).to_numpy() for name in ("age", "earlier_stays"))
    best = 0.02 * age + 1.1 * earlier + 0.6 * (rows["ward"] == "medical").to_numpy()
    ceiling = auroc(best, trained.table.outcome[trained.test])
    found = _value(trained, "by time", OURS, "auroc")
    assert found > 0.7
    assert found > ceiling - 0.05
    assert _value(trained, "by time", OURS, "brier_skill") > 0.08
    assert _value(trained, "by time", STARTING_SHARE, "auroc") == 0.5
    assert _value(trained, "by time", LOGISTIC, "auroc") > 0.7


def test_all_models_and_both_splits_stand_on_the_same_test_rows(trained: risk.Trained) -> None:
    seen = {(one.split, one.model) for one in trained.scores if " less " not in one.model}
    assert seen == {
        (split, model)
        for split in ("by time", risk.OTHER_SITES)
        for model in (OURS, STARTING_SHARE, LOGISTIC)
    }
    assert {one.rows for one in trained.scores} == {len(trained.test)}
    interval = next(one for one in trained.scores if one.metric == "auroc" and one.model == OURS)
    assert interval.low is not None
    assert interval.value is not None
    assert interval.high is not None
    assert interval.low < interval.value < interval.high


def test_a_gain_over_a_plain_model_is_drawn_together(trained: risk.Trained) -> None:
    found = {
        (one.model, one.metric): one
        for one in trained.scores
        if one.split == "by time" and one.low is not None
    }
    gain = found[f"{OURS} less {LOGISTIC}", "auroc_gain"]
    ours, plain = found[OURS, "auroc"], found[LOGISTIC, "auroc"]
    assert gain.value == pytest.approx((ours.value or 0) - (plain.value or 0))
    assert (gain.high or 0) - (gain.low or 0) < 0.7 * ((ours.high or 0) - (ours.low or 0))


def test_days_of_delay_need_dates() -> None:
    table = prepare(encounters(300), replace(ROLES, time=None, order="age"))
    with pytest.raises(CareGridError, match="the rows carry no dates"):
        risk.train(table, replace(OPTIONS, delay_days=30.0))


def test_another_sites_model_never_saw_the_site(monkeypatch: pytest.MonkeyPatch) -> None:
    from ml.risk import fit as risk_fit

    frame, seen = encounters(1500), []
    real = risk_fit.fit

    def watched(table, train, held, test, quantiles, seed):  # type: ignore[no-untyped-def]
        seen.append((set(table.site[train | held]), set(table.site[test]), set(table.person[train | held])
                     & set(table.person[test])))  # fmt: skip
        return real(table, train, held, test, quantiles, seed)

    monkeypatch.setattr(risk_fit, "fit", watched)
    risk.train(prepare(frame, ROLES), OPTIONS)
    assert len(seen) == 5
    assert all(not learned & scored for learned, scored, _ in seen[1:])
    assert set.union(*(scored for _, scored, _ in seen[1:])) == set(frame["hospital"])
    assert all(not persons for *_, persons in seen)


def test_the_threshold_comes_from_the_calibration_rows(trained: risk.Trained) -> None:
    held = trained.model.score(trained.table.frame[np.flatnonzero(trained.split.block == 1)])
    assert trained.model.threshold is not None
    assert 0.08 < (held >= trained.model.threshold).mean() <= 0.1
    share = next(one for one in trained.scores if one.metric == "flagged_rate")
    assert share.value == pytest.approx((trained.said >= trained.model.threshold).mean())
    assert share.low is not None
    assert share.low < (share.value or 0)
    changed = prepare(encounters(3000), ROLES)
    changed.outcome[trained.test] = 1 - changed.outcome[trained.test]
    again = risk.train(changed, OPTIONS)
    assert again.model.threshold == trained.model.threshold
    assert np.array_equal(again.said, trained.said)


def test_an_explanation_adds_up_to_the_score_and_reads_as_text(trained: risk.Trained) -> None:
    frame = trained.table.frame[trained.test[:200]]
    values = trained.model.contributions(frame)
    raw = trained.model.boosters[0].predict(trained.model.matrix(frame), raw_score=True, num_threads=1)
    assert values.sum(axis=1) == pytest.approx(raw, abs=1e-9)
    strongest = {parts[0]["column"] for parts in trained.model.reasons(frame)}
    assert "earlier_stays" in strongest
    one = next(part for part in trained.model.reasons(frame)[0] if part["column"] == "ward")
    assert one["value"] in ("medical", "surgical", "other")
    assert trained.importance[0][0] == "earlier_stays"


def test_equal_inputs_write_equal_bytes_and_what_is_loaded_scores_the_same(
    trained: risk.Trained, tmp_path: Path
) -> None:
    path = tmp_path / "t.csv"
    encounters(3000).write_csv(path)
    risk_report.write(trained, path, {}, tmp_path / "one")
    again = risk.train(prepare(encounters(3000), ROLES), OPTIONS)
    risk_report.write(again, path, {}, tmp_path / "two")
    names = sorted(file.relative_to(tmp_path / "one") for file in (tmp_path / "one").rglob("*.*"))
    assert {"card.md", "card.json", "scores.csv", "reliability.png"} <= {str(name) for name in names}
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes(), name
    loaded = risk_model.load(tmp_path / "one" / "model")
    assert np.array_equal(loaded.score(encounters(50, 9)), trained.model.score(encounters(50, 9)))
    assert loaded.threshold == trained.model.threshold


def test_unseen_levels_missing_cells_and_missing_columns_at_scoring(
    trained: risk.Trained, tmp_path: Path
) -> None:
    trained.model.save(tmp_path / "model")
    rows = encounters(5, 3).with_columns(ward=pl.lit("burns unit"), creatinine=pl.lit("?"))
    said = risk_report.scored(trained.model, rows)
    assert all(0 < line["probability"] < 1 for line in said)
    assert trained.model.columns[2].text(rows["ward"])[0] == "burns unit (rare or unseen)"
    assert risk_report.write_scored(tmp_path / "model", rows, tmp_path / "out").startswith("5 rows scored")
    lines = list(csv.DictReader((tmp_path / "out" / "scored.csv").read_text().splitlines()))
    assert [float(line["probability"]) for line in lines] == [line["probability"] for line in said]
    with pytest.raises(CareGridError, match="columns that are not there: ward"):
        risk_report.write_scored(tmp_path / "model", rows.drop("ward"), tmp_path / "out")


def test_groups_with_too_few_events_say_so_and_a_site_without_any_is_no_failure() -> None:
    frame = encounters(2000).with_columns(
        readmitted=pl.when(pl.col("hospital") == "H1").then(pl.lit("no")).otherwise(pl.col("readmitted"))
    )
    found = risk.train(prepare(frame, ROLES), OPTIONS)
    lines = {(line["column"], line["group"]): line for line in found.subgroups}
    empty = lines["hospital", "H1"]
    assert (empty["events"], empty["auroc"], empty["sensitivity"]) == (0, None, None)
    assert "too few to judge: 0 events" in str(empty["note"])
    whole = lines["hospital", "H2"]
    few = risk.train(
        prepare(
            frame.with_columns(
                sex=pl.when(pl.int_range(2000) % 60 == 0).then(pl.lit("x")).otherwise(pl.col("sex"))
            ),
            ROLES,
        ),
        OPTIONS,
    )
    (rare,) = [line for line in few.subgroups if line["group"] == "x"]
    assert (rare["rows"], rare["events"], rare["flagged_rate"]) == (None, None, None)
    assert "fewer than 10 rows" in str(rare["note"])
    assert isinstance(whole["auroc"], float)
    assert {"below", "and more"} <= {
        word for _, group in lines for word in ("below", "and more") if word in str(group)
    }
    assert _value(found, risk.OTHER_SITES, OURS, "auroc") > 0.5


def test_too_few_events_are_refused_before_anything_is_fitted() -> None:
    frame = encounters(300).with_columns(
        readmitted=pl.when(pl.int_range(300) % 40 == 0).then(pl.lit("yes")).otherwise(pl.lit("no"))
    )
    with pytest.raises(CareGridError, match=r"rows [0-9]+ have the event; at least 5"):
        risk.train(prepare(frame, replace(ROLES, time=None)), OPTIONS)


def test_a_small_table_is_trained_and_its_reliability_diagram_refused(tmp_path: Path) -> None:
    found = risk.train(prepare(encounters(150), replace(ROLES, time=None, person=None)), OPTIONS)
    path = tmp_path / "t.csv"
    encounters(150).write_csv(path)
    risk_report.write(found, path, {}, tmp_path)
    assert not (tmp_path / "reliability.png").exists()
    assert "at least 50 are needed" in (tmp_path / "card.md").read_text()
    assert "refused" in json.loads((tmp_path / "card.json").read_text())["reliability"]


def test_a_length_of_stay_gets_calibrated_quantiles() -> None:
    rng = np.random.default_rng(2)
    frame = encounters(3000)
    mean = 2 + 3 * (frame["ward"] == "medical").to_numpy()
    days = np.round(rng.gamma(2.0, mean / 2), 1)
    found = risk.train(
        prepare(frame.with_columns(readmitted=pl.Series(days)), replace(ROLES, positive=None)), OPTIONS
    )
    assert (np.diff(found.said, axis=1) >= 0).all()
    assert found.said.min() >= 0
    assert _value(found, "by time", OURS, "coverage_80") == pytest.approx(0.8, abs=0.06)
    assert _value(found, "by time", OURS, "coverage_50") == pytest.approx(0.5, abs=0.07)
    wis = {
        model: _value(found, "by time", model, "wis")
        for model in (OURS, STARTING_QUANTILES, "ridge regression")
    }
    assert wis[OURS] < 0.95 * wis[STARTING_QUANTILES]
    assert found.refused is not None
    assert found.model.threshold is None


def test_the_card_names_all_attributes_and_invents_none(trained: risk.Trained) -> None:
    lines = risk_card.attributes(trained, {"(1)(i)": "Ward 3, extension 12"})
    assert len(lines) == len(risk_attributes.KEYS) == 31
    by_key = {line.key: line for line in lines}
    assert (by_key["(1)(i)"].value, by_key["(1)(i)"].source) == ("Ward 3, extension 12", "stated")
    for key in ("(1)(ii)", "(2)(i)", "(5)(i)", "(6)(ii)", "(7)(iii)", "(8)(ii)", "(9)(ii)"):
        assert (by_key[key].value, by_key[key].source) == ("not stated", "not stated")
    assert by_key["(7)(i)"].source == "measured"
    assert "sex: sex" in by_key["(4)(ii)"].value
    assert "race: no column of such a name" in by_key["(4)(ii)"].value
    text = risk_card.as_markdown(trained, lines, {"name": "risk of readmitted"})
    assert all(line.attribute in text for line in lines)
    assert "nan" not in text.lower().split()


def test_statements_of_unknown_attributes_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "s.json"
    path.write_text('{"(1)(i)": "us", "(12)(i)": "?"}')
    with pytest.raises(CareGridError, match=r"no attribute is called \(12\)\(i\)"):
        risk_report.statements(path)
    path.write_text("[1]")
    with pytest.raises(CareGridError, match="no object of texts"):
        risk_report.statements(path)
    assert risk_report.statements(None) == {}


def test_the_command_line_trains_scores_and_refuses(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    encounters(700).write_csv(tmp_path / "t.csv")
    given = ["--table", str(tmp_path / "t.csv"), "--outcome", "readmitted", "--positive", "yes"]
    words = ["--time", "seen_at", "--person", "person", "--subgroups", "sex", "--replicates", "10"]
    assert risk.main([*given, *words, "--exclude", "ward=other", "--out", str(tmp_path / "out")]) == 0
    assert "| by time | caregrid | auroc |" in capsys.readouterr().out
    model = str(tmp_path / "out" / "model")
    assert risk.main([*given[:2], "--model", model, "--out", str(tmp_path / "scored")]) == 0
    assert len((tmp_path / "scored" / "scored.csv").read_text().splitlines()) == 701
    for bad, why in (
        ([*given, "--alert-budget", "2"], "is no share"),
        ([*given, "--exclude", "ward"], "names no values"),
        (given[:2], "it is not said what is to be foretold"),
        ([*given[:2], "--model", str(tmp_path)], "there is no saved model"),
    ):
        assert risk.main([*bad, "--out", str(tmp_path / "no")]) == 2
        assert why in capsys.readouterr().err
    (tmp_path / "odd" / "scored.csv").mkdir(parents=True)
    assert risk.main([*given[:2], "--model", model, "--out", str(tmp_path / "odd")]) == 2
    assert f"--out {tmp_path / 'odd'}: cannot be written" in capsys.readouterr().err
    # An --out that is a file is refused before anything is trained.
    assert risk.main([*given, "--out", given[1]]) == 2
    assert capsys.readouterr().err.startswith(f"error: --out {given[1]}: nothing can be written there")


def test_scoring_tells_which_features_are_no_longer_as_in_training(
    trained: risk.Trained, tmp_path: Path
) -> None:
    encounters(3000).write_csv(tmp_path / "t.csv")
    risk_report.write(trained, tmp_path / "t.csv", {}, tmp_path)
    model, now = tmp_path / "model", encounters(900, 5)
    assert "no feature has moved" in risk_report.write_scored(model, now, tmp_path / "same")
    older = now.with_columns((pl.col("age").cast(pl.Int64) + 25).cast(pl.String), ward=pl.lit("burns unit"))
    said = risk_report.write_scored(model, older, tmp_path / "moved")
    assert "features are not as in training" in said
    assert "age" in said
    assert "ward" in said
    lines = {
        line["name"]: line
        for line in csv.DictReader((tmp_path / "moved" / "drift.csv").read_text().splitlines())
    }
    assert float(lines["sex"]["index"]) < 0.1

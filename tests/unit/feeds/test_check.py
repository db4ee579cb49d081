"""Every mistake in a feed's YAML is told with file, line, field and fix, all of them at once."""

from __future__ import annotations

import copy
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from caregrid.errors import CareGridError
from caregrid.feeds import check, check_file, feed_files, parse_feed
from caregrid.feeds.check import check_text
from caregrid.feeds.document import Document, read_document
from caregrid.feeds.problems import Problem
from caregrid.feeds.schema import feed_schema, schema_faults
from caregrid.feeds.times import check_cron, parse_duration
from caregrid.mapping.expressions import expression_problems
from caregrid.paths import ROOT

pytestmark = pytest.mark.unit
FILE = Path("some_feed.yml")
GOOD = """\
feed: some_feed
name: {en: "Some feed", zh: "某来源"}
owner: {id: someone, name: "Someone"}
visibility: public
country: CA
timezone: America/Toronto
schedule: "10 * * * *"
expected_every: PT1H
lateness_tolerance: PT2H
licence: "none"
provenance: "invented"
sources:
  hourly:
    path: some/*.csv
    format: {type: csv}
    missing: ["", "NA"]
    published_at: {file_name: '(\\d{4}-\\d{2})', format: "%Y-%m"}
    known_at: {period_end_plus: P4D}
outputs:
  - name: beds
    contract: usage
    source: hourly
    where: "id <> ''"
    place: {level: facility, system: some, code: id}
    period: {column: day, format: "%Y-%m-%d", role: label, grain: day}
    service_or_resource: bed
    values:
      - {column: taken, measure: occupied, statistic: snapshot, unit: beds}
"""


def problems(old: str, new: str) -> list[Problem]:
    assert old in GOOD
    return check_text(FILE, GOOD.replace(old, new))


def _paths(value: Any, at: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield (*at, key)
        yield from _paths(item, (*at, key))


@pytest.mark.parametrize("wrong", [None, 5, "x", True, [], {}, ["x"], {"x": 1}], ids=str)
def test_whatever_is_wrong_anywhere_the_rest_is_still_asked(wrong: Any) -> None:
    """Any value at any place: all that the schema says is told, and a check of the meaning never breaks."""
    good = read_document(GOOD.replace("America/Toronto", "Canada/Nowhere")).data
    for path in _paths(good):
        data = copy.deepcopy(good)
        inner = data
        for key in path[:-1]:
            inner = inner[key]
        inner[path[-1]] = wrong
        document = Document(data, {})
        told = set(check._check(FILE, document, ""))
        assert told >= {problem for _, problem in schema_faults(FILE, document, feed_schema())}
        if path != ("timezone",):
            assert any(problem.field == "timezone" for problem in told), path


def test_a_good_feed_has_no_problem() -> None:
    assert check_text(FILE, GOOD) == []
    assert parse_feed(FILE, GOOD).outputs[0].contract == "usage"


@pytest.mark.parametrize(
    ("old", "new", "line", "field", "words"),
    [
        ("visibility: public", "visibilty: public", 4, "visibilty", "did you mean visibility?"),
        ("visibility: public", "visibility: pubic", 4, "visibility", "did you mean public?"),
        ("country: CA", "country: Canada", 5, "country", "two capital letters"),
        ("America/Toronto", "America/Tronto", 6, "timezone", "IANA"),
        ("10 * * * *", "70 * * * *", 7, "schedule", "outside 0-59"),
        ("10 * * * *", "10 * * *", 7, "schedule", "five"),
        ("expected_every: PT1H", "expected_every: 1h", 8, "expected_every", "PT1H"),
        ("feed: some_feed", "feed: other_feed", 1, "feed", "other_feed.yml"),
        ("{type: csv}", "{type: cvs}", 15, "sources.hourly.format.type", "csv"),
        ("{type: csv}", "{type: csv, encoding: utf-9}", 15, "sources.hourly.format.encoding", "cp1252"),
        ("{type: csv}", "{type: json, delimiter: ;}", 15, "sources.hourly.format.delimiter", "drop it"),
        (
            "(\\d{4}-\\d{2})",
            "(\\d{4}-\\d{2}",
            17,
            "sources.hourly.published_at.file_name",
            "regular expression",
        ),
        ("(\\d{4}-\\d{2})", "\\d{4}-\\d{2}", 17, "sources.hourly.published_at.file_name", "brackets"),
        ('format: "%Y-%m"}', 'format: "%Y-%Q"}', 17, "sources.hourly.published_at.format", "%Q"),
        ('"NA"', "'/<(/'", 16, "sources.hourly.missing", "regular expression"),
        ("P4D", "P0D", 18, "sources.hourly.known_at.period_end_plus", "publication lag"),
        ("P4D", "4 days", 18, "sources.hourly.known_at.period_end_plus", "P4D"),
        ("source: hourly", "source: daily", 22, "outputs[0].source", "hourly"),
        ("level: facility", "level: hospital", 24, "outputs[0].place.level", "facility"),
        ("grain: day", "grain: daily", 25, "outputs[0].period.grain", "did you mean day?"),
        ('format: "%Y-%m-%d", role', "format: yyyy-mm-dd, role", 25, "outputs[0].period.format", "%Y-%m-%d"),
        ("grain: day", "grain: interval", 25, "outputs[0].period", "end_column"),
        (
            "service_or_resource: bed\n",
            "service_or_resource: bad\n",
            26,
            "outputs[0].service_or_resource",
            "did you mean bed?",
        ),
        (
            "service_or_resource: bed\n",
            "service_or_resource: icu_bed\n",
            26,
            "outputs[0].service_or_resource",
            "did you mean bed_icu?",
        ),
        (
            "measure: occupied",
            "measure: occupancies",
            28,
            "outputs[0].values[0].measure",
            "did you mean occupancy?",
        ),
        ("statistic: snapshot", "statistic: sum", 28, "outputs[0].values[0].statistic", "snapshot"),
        ("unit: beds", "unit: persons", 28, "outputs[0].values[0].unit", "beds"),
        ("{column: taken, ", "{", 28, "outputs[0].values[0]", "give one of"),
        ("{column: taken, ", "{column: taken, expr: a + b, ", 28, "outputs[0].values[0]", "keep one of"),
        (
            "unit: beds}",
            "unit: beds, dimensions: {aeg: {column: a}}}",
            28,
            "outputs[0].values[0].dimensions.aeg",
            "did you mean age?",
        ),
        ("unit: beds}", "unit: beds, total_over: [ward]}", 28, "outputs[0].values[0].total_over", "axis"),
        ("unit: beds}", "unit: beds, status_column: f}", 28, "outputs[0].values[0]", "status_map"),
        ('"%Y-%m-%d", role', '"%Y-%m", role', 25, "outputs[0].period.format", "coarse"),
        ("    where:", "    on_conflict: sum\n    where:", 23, "outputs[0].on_conflict", "reject or last"),
        ("contract: usage", "contract: facility", 20, "outputs[0]", "name"),
    ],
)
def test_each_mistake_is_told_where_it_is_and_how_to_mend_it(
    old: str, new: str, line: int, field: str, words: str
) -> None:
    found = problems(old, new)
    match = [problem for problem in found if problem.field == field]
    assert match, [str(problem) for problem in found]
    assert match[0].line == line
    assert any(words in problem.message + problem.fix for problem in match), str(match[0])
    assert str(match[0]).startswith(f"some_feed.yml:{line}: {field}: ")


def test_all_mistakes_are_told_at_once() -> None:
    text = (
        GOOD.replace("America/Toronto", "Nowhere")
        .replace("unit: beds", "unit: stars")
        .replace("PT2H", "soon")
    )
    assert {problem.field for problem in check_text(FILE, text)} == {
        "timezone",
        "lateness_tolerance",
        "outputs[0].values[0].unit",
    }
    with pytest.raises(CareGridError) as error:
        parse_feed(FILE, text)
    assert all(field in str(error.value) for field in ("timezone", "lateness_tolerance", "unit"))


@pytest.mark.parametrize(
    ("text", "line"), [("a: 1\nb: [1\nc: 2\n", 3), ("- a\n", 1), ("a: 1\na: 2\n", 2), ("", 1)]
)
def test_text_that_is_no_mapping(text: str, line: int) -> None:
    (problem,) = check_text(FILE, text)
    assert problem.line == line


def test_mistake_that_values_share_is_told_once_and_where_it_stands() -> None:
    values = "    values:\n      - {column: taken, measure: occupied, statistic: snapshot, unit: beds}\n"
    two = values + "      - {column: open, measure: capacity, statistic: snapshot, unit: beds}\n"
    text = GOOD.replace(values, two).replace(
        "service_or_resource: bed\n", "service_or_resource: {column: kind, map: {ICU: bed_ikcu}}\n"
    )
    (problem,) = check_text(FILE, text)
    assert problem.line == 1 + text[: text.index("service_or_resource")].count("\n")
    assert problem.field == "outputs[0].service_or_resource"
    assert "did you mean bed_icu?" in problem.fix


def test_codes_stay_as_they_are_written() -> None:
    data = read_document(
        "map: {01: a, NO: b, 'on': c}\nday: 2020-01-05\nzip: 00501\nyes: yes\nn: 12\nx: 1.5\n"
    ).data
    assert data["map"] == {"01": "a", "NO": "b", "on": "c"}
    assert (data["day"], data["zip"], data["yes"], data["n"], data["x"]) == (
        "2020-01-05",
        "00501",
        "yes",
        12,
        1.5,
    )


def test_merge_keys_give_way_to_own_keys() -> None:
    data = read_document("base: &base {a: 1, b: 2}\nown: {<<: *base, b: 3}\n").data
    assert data["own"] == {"a": 1, "b": 3}


@pytest.mark.parametrize("text", ["P4D", "PT1H", "PT1H30M", "P2W", "-P1D", "P1M"])
def test_durations(text: str) -> None:
    assert parse_duration(text)


@pytest.mark.parametrize("text", ["P", "PT", "1H", "P1H", "P1DT", "", "PD"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="duration"):
        parse_duration(text)


@pytest.mark.parametrize("text", ["* * * * *", "*/20 * * * *", "0 3 * * 1-5", "5,35 0-6/2 1 1,7 *"])
def test_cron_lines(text: str) -> None:
    check_cron(text)


@pytest.mark.parametrize(
    "text", ["* * * *", "60 * * * *", "* 24 * * *", "*/0 * * * *", "a * * * *", "5-1 * * * *"]
)
def test_what_is_no_cron_line(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        check_cron(text)


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ("where: \"id <> ''\"", 'where: "id <>"', "outputs[0].where"),
        ("where: \"id <> ''\"", 'where: "id"', "outputs[0].where"),
        ("where: \"id <> ''\"", 'where: "MAX(id) = 3"', "outputs[0].where"),
        ("{column: taken,", '{expr: "SUM(a)",', "outputs[0].values[0].expr"),
        ("{column: taken,", "{expr: \"a || 'x'\",", "outputs[0].values[0].expr"),
        ("{column: taken,", '{expr: "a +",', "outputs[0].values[0].expr"),
    ],
)
def test_expressions_are_compiled(tmp_path: Path, old: str, new: str, field: str) -> None:
    file = tmp_path / "some_feed.yml"
    assert old in GOOD
    file.write_text(GOOD.replace(old, new), encoding="utf-8")
    assert check_file(file) == []
    (problem,) = expression_problems(file)
    assert problem.field == field
    assert problem.line in (23, 28)


def test_columns_are_among_those_of_a_declared_header(tmp_path: Path) -> None:
    file = tmp_path / "some_feed.yml"
    file.write_text(GOOD.replace("{type: csv}", "{type: csv, header: [id, day, takn]}"), encoding="utf-8")
    (problem,) = expression_problems(file)
    assert (problem.line, problem.field) == (15, "sources.hourly.format.header")
    assert "'taken'" in problem.message
    assert "did you mean takn?" in problem.fix


@pytest.mark.parametrize("file", feed_files(), ids=lambda file: file.stem)
def test_every_feed_of_the_repository_is_sound(file: Path) -> None:
    assert [str(problem) for problem in check_file(file) + expression_problems(file)] == []


def test_the_mapping_version_follows_the_mapping_alone() -> None:
    version = parse_feed(FILE, GOOD).mapping_version("hourly")
    assert parse_feed(FILE, GOOD.replace("10 * * * *", "20 * * * *")).mapping_version("hourly") == version
    assert parse_feed(FILE, GOOD.replace("some/*.csv", "other/*.csv")).mapping_version("hourly") == version
    for old, new in (
        ("taken", "used_beds"),
        ("America/Toronto", "America/Halifax"),
        ('"NA"', '"-"'),
        ("P4D", "P5D"),
    ):
        assert parse_feed(FILE, GOOD.replace(old, new)).mapping_version("hourly") != version


def test_loading_feeds_imports_nothing_slow() -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); from caregrid.feeds import load_feeds; load_feeds();"
        "print(sorted({'polars', 'pandas', 'pyarrow', 'numpy', 'dbt', 'mlflow'} & set(sys.modules)))"
    )
    found = subprocess.run(
        [sys.executable, "-c", code, str(ROOT / "plugins")], capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == "[]"

"""Data Docs: whole without a network, whatever a gate found."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest
from caregrid.gates import engine, record
from caregrid.gates.docs import VENDOR, at_home, build_docs

pytestmark = pytest.mark.unit

OUTSIDE = re.compile(r"https?://[^\s\"')<>]+")
REFERENCE = re.compile(r"(?:href|src)=\"?([^\"#?>\s]+)")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pages of a suite that held, of one that failed, and of one in which something was raised."""
    engine.prepare_environment()
    from expectations.landing import KEYS, SUITES

    build = SUITES["improvement_action"]
    good = pd.DataFrame(
        {
            "load_id": [1, 2],
            "owner_missing_share": [0.0, 0.1],
            "done_without_effect_share": [0.0, float("nan")],
        }
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CAREGRID_VAR", str(tmp_path_factory.mktemp("var")))
        frames = (good, good.assign(owner_missing_share=0.5), good.drop(columns="owner_missing_share"))
        for hour, frame in enumerate(frames):
            patch.setenv("CAREGRID_AS_OF", f"2025-03-03T0{hour}:00:00+00:00")
            record.keep_results([engine.validate(build(), frame, KEYS["improvement_action"])])
        index = build_docs()
        build_docs()  # over the old ones
    return index.parent


def _pages(site: Path) -> list[Path]:
    return sorted(site.rglob("*.html"))


def test_every_suite_and_every_result_has_a_page(site: Path) -> None:
    from expectations import landing, marts

    suites = {page.stem for page in (site / "expectations").glob("*.html")}
    assert len(suites) == len(landing.SUITES) + len(marts.MARTS) + 1
    assert len(list((site / "validations").rglob("*.html"))) == 3


def test_no_page_names_an_address_outside(site: Path) -> None:
    assert len(_pages(site)) > 20
    for page in _pages(site):
        assert OUTSIDE.findall(page.read_text()) == [], page


def test_styles_and_scripts_load_nothing_from_outside(site: Path) -> None:
    files = [file for kind in ("css", "js") for file in (site / "static").rglob(f"*.{kind}")]
    assert len(files) >= 10
    for file in files:
        assert not re.search(r"url\(['\"]?(https?:)?//|@import", file.read_text()), file


def test_whatever_a_page_refers_to_lies_beside_it(site: Path) -> None:
    seen = set()
    for page in _pages(site):
        for reference in REFERENCE.findall(page.read_text()):
            if reference.startswith(("data:", "javascript:", "${")):
                continue
            target = (page.parent / reference).resolve()
            assert target.is_file(), f"{page}: {reference}"
            seen.add(target.name)
    assert {"bootstrap.min.css", "jquery.min.js", "solid.min.css", "caregrid.css"} <= seen
    assert (site / "static/vendor/fontawesome/webfonts/fa-solid-900.woff2").is_file()


def test_pages_say_what_was_expected_in_both_languages(site: Path) -> None:
    text = "".join(page.read_text() for page in (site / "validations").rglob("*.html"))
    assert "Most actions have an owner · 大多数措施有负责人" in text
    assert "raised an exception" in text
    assert "owner_missing_share" in text


def test_unknown_script_from_outside_is_an_error() -> None:
    with pytest.raises(ValueError, match="vendor it"):
        at_home('<head><script src="https://example.org/new.js"></script></head>', "")


def test_every_vendored_package_keeps_its_licence() -> None:
    packages = [folder for folder in VENDOR.iterdir() if folder.is_dir()]
    assert len(packages) == 5
    for package in packages:
        assert list(package.glob("LICENSE*")), package


def test_a_measure_that_is_a_script_is_plain_text_on_every_page(tmp_path: Path) -> None:
    """A measure's code is the publisher's own text, and the one such text that a gate's result names."""
    engine.prepare_environment()
    from expectations.landing import KEYS, SUITES

    hostile = "<script>alert(1)</script><img src=x onerror=alert(2)>"
    shares = ("over_bound_share", "missing_share", "numerator_over_denominator_share")
    frame = pd.DataFrame(
        {
            "load_id": [1, 1],
            "measure": [hostile, hostile],
            **{key: [9.0, 9.0] for key in ("rows", "directions", "kinds", "units")},
            **{key: [1.0, 1.0] for key in shares},
        }
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CAREGRID_VAR", str(tmp_path))
        patch.setenv("CAREGRID_AS_OF", "2025-03-03T00:00:00+00:00")
        record.keep_results([engine.validate(SUITES["quality"](), frame, KEYS["quality"])])
        index = build_docs()
    pages = [page.read_text() for page in (index.parent / "validations").rglob("*.html")]
    assert len(pages) == 1
    assert "alert(1)" in pages[0]  # the measure is named, as text
    assert "<script>alert(1)" not in pages[0]
    assert "<img src=x" not in pages[0]

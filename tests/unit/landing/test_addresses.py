"""Patterns and date templates become single addresses; the mirror goes before the web."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from caregrid.errors import CareGridError
from caregrid.landing.addresses import addresses, is_dated

pytestmark = pytest.mark.unit


@pytest.fixture(autouse=True)
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("a_2025-01-01.csv", "a_2025-01-02.csv", "b [1].csv", "deep/c.csv"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    monkeypatch.setenv("CAREGRID_FEEDS_BASE", str(tmp_path))
    monkeypatch.setenv("CAREGRID_AS_OF", "2025-01-31T23:30:00+00:00")
    return tmp_path


def uris(path: str | None, url: str | None = None, day: date | None = None, **data: str) -> list[str]:
    feed: Any = SimpleNamespace(file="feed.yml", timezone="Europe/Paris", data=data)
    source: Any = SimpleNamespace(name="s", path=path, url=url, query=None, paging=None, connection=None)
    return [address.uri for address in addresses(feed, source, day)]


def test_patterns_and_templates() -> None:
    assert uris("a_*.csv") == ["base:a_2025-01-01.csv", "base:a_2025-01-02.csv"]
    assert uris("a_{date:%Y-%m-%d}.csv") == ["base:a_2025-01-01.csv", "base:a_2025-01-02.csv"]
    assert uris("a_{date:%Y-%m-%d}.csv", day=date(2025, 1, 2)) == ["base:a_2025-01-02.csv"]
    assert uris("a_{date:%Y-%m-%d}.csv", day=date(2025, 1, 3)) == []
    assert uris("deep/c.csv") == ["base:deep/c.csv"]
    assert uris("nothing.csv") == []


def test_an_absolute_file_url(base: Path) -> None:
    assert uris((base / "deep" / "c.csv").as_uri()) == [(base / "deep" / "c.csv").as_uri()]
    assert uris(f"file://{base}/a_*.csv")[0] == f"file://{base}/a_2025-01-01.csv"


def test_the_web_serves_what_the_mirror_lacks() -> None:
    url = "https://example.org/{date:%Y/%m}/a.csv"
    assert uris("a_2025-01-01.csv", url) == ["base:a_2025-01-01.csv"]
    # The month is that of the feed's own time zone, where it is February already.
    assert uris("nothing.csv", url) == ["https://example.org/2025/02/a.csv"]
    assert uris(None, url, date(2024, 12, 1)) == ["https://example.org/2024/12/a.csv"]


@pytest.mark.parametrize("url", ["http://example.org/a.csv", "ftp://example.org/a.csv", None])
def test_only_files_and_https(url: str | None) -> None:
    with pytest.raises(CareGridError, match=r"sources\.s"):
        uris(None, url)


def test_dated() -> None:
    assert is_dated(SimpleNamespace(path=None, url="https://example.org/{date:%Y}.csv", query=None))  # type: ignore[arg-type]
    assert not is_dated(SimpleNamespace(path="a_*.csv", url=None, query=None))  # type: ignore[arg-type]


def test_a_simulated_feed_reads_what_the_simulator_wrote(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAREGRID_VAR", str(base / "var"))
    (base / "var" / "simulated").mkdir(parents=True)
    (base / "var" / "simulated" / "sim.csv").touch()
    assert uris("sim.csv", base="simulated") == ["base:sim.csv"]
    assert uris("sim.csv") == uris("a_2025-01-01.csv", base="simulated") == []

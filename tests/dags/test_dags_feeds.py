"""Generated ingest DAGs: one bad YAML takes no other feed away; a task's process builds its own DAG."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from caregrid.feeds import feed_files
from caregrid.paths import ROOT

pytestmark = pytest.mark.dags

Parse = Callable[..., dict[str, Any]]


def test_a_broken_yaml_shows_its_mistakes_and_leaves_the_others(tmp_path: Path, parse_folder: Parse) -> None:
    good = feed_files()[0]
    bad = tmp_path / "bad_feed.yml"
    bad.write_text(good.read_text().replace("timezone:", "timezon:"))
    prelude = (
        "import caregrid.feeds, pathlib\n"
        f"caregrid.feeds.feed_files = lambda: [pathlib.Path(file) for file in {[str(good), str(bad)]!r}]\n"
    )
    parsed = parse_folder(ROOT / "dags", tmp_path, prelude)
    assert parsed["errors"] == {}
    assert "broken" in parsed["dags"]["ingest_bad_feed"]["tags"]
    assert "timezon" in parsed["dags"]["ingest_bad_feed"]["doc_md"]
    assert "broken" not in parsed["dags"][f"ingest_{good.stem}"]["tags"]


def test_a_task_reads_no_other_feed_than_its_own(tmp_path: Path, parse_folder: Parse) -> None:
    wanted = f"ingest_{feed_files()[-1].stem}"
    prelude = f"import os; os.environ['_AIRFLOW_PARSING_CONTEXT_DAG_ID'] = {wanted!r}\n"
    parsed = parse_folder(ROOT / "dags", tmp_path, prelude)
    assert [dag_id for dag_id in parsed["dags"] if dag_id.startswith("ingest_")] == [wanted]

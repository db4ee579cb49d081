"""The runbooks in docs/runbooks: one per kind of DAG, shown in the Airflow UI with the way to the file."""

from __future__ import annotations

from pathlib import Path

from caregrid.paths import ROOT

FOLDER = ROOT / "docs" / "runbooks"


def runbook(kind: str) -> Path:
    """Return the runbook of a kind of DAG."""
    return FOLDER / f"{kind}.md"


def documentation(kind: str) -> str:
    """Return the runbook's text under a line that names the file, for doc_md.

    Raises:
        FileNotFoundError: a DAG without a runbook does not load.
    """
    file = runbook(kind)
    return f"Runbook: [{file.relative_to(ROOT)}]({file.as_uri()})\n\n{file.read_text(encoding='utf-8')}"

"""The runbooks in docs/runbooks: one per kind of DAG, shown in the Airflow UI with the way to the file."""

from __future__ import annotations

from pathlib import Path

from caregrid import ports
from caregrid.paths import ROOT

FOLDER = ROOT / "docs" / "runbooks"


def runbook(kind: str) -> Path:
    """Return the runbook of a kind of DAG."""
    return FOLDER / f"{kind}.md"


def documentation(kind: str) -> str:
    """Return the runbook's text under a line that names the file and leads to its page, for doc_md.

    A browser opens no file: the page is the one of the docs server.

    Raises:
        FileNotFoundError: a DAG without a runbook does not load.
    """
    file = runbook(kind)
    port = ports.known("docs") or ports.PREFERRED["docs"]
    page = f"http://127.0.0.1:{port}/runbooks/{kind}.html"
    return f"Runbook · 运行手册: [{file.relative_to(ROOT)}]({page})\n\n{file.read_text(encoding='utf-8')}"

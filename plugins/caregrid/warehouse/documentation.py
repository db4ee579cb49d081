"""dbt's documentation of the served tables, as one static page in var/docs/dbt, and the columns' lineage."""

from __future__ import annotations

import shutil
from pathlib import Path

from caregrid.paths import var
from caregrid.warehouse import dbt
from caregrid.warehouse.lineage import current_lineage, write_lineage


def generate_documentation() -> Path:
    """Write var/docs/dbt/index.html, one page that fetches nothing, and the lineage; return the page.

    Raises:
        CareGridError: dbt could not run.
    """
    # A target of its own: the schemas' names differ there, and the build must keep its parsed project.
    target = var("dbt", "documentation")
    outcome = dbt.run(["docs", "generate", "--static", "--target", "served"], target=target)
    page = var("docs", "dbt", "index.html")
    page.parent.mkdir(parents=True, exist_ok=True)
    part = page.with_suffix(".part")
    shutil.copyfile(target / "static_index.html", part)
    part.replace(page)
    if current_lineage() is None:
        write_lineage(target, outcome.manifest)
    return page

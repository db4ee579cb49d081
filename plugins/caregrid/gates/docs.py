"""Builds Data Docs (what the gates checked and found) as pages that need nothing from outside."""

from __future__ import annotations

import json
import re
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from caregrid import paths
from caregrid.gates import engine

VENDOR = Path(__file__).parent / "vendor"
# What a page asks hosts outside for → what lies beside it; None: not needed. Vega draws no chart of ours,
# popper is in the bundle of Bootstrap, and the dark style would make half of every table unreadable.
_REPLACED: tuple[tuple[str, str | None], ...] = (
    ("bootstrap-table-filter-control.min.js", "bootstrap-table/bootstrap-table-filter-control.min.js"),
    ("bootstrap-table-filter-control.min.css", "bootstrap-table/bootstrap-table-filter-control.min.css"),
    ("bootstrap-table-filter-control.css", "bootstrap-table/bootstrap-table-filter-control.min.css"),
    ("bootstrap-table.min.js", "bootstrap-table/bootstrap-table.min.js"),
    ("bootstrap-table.min.css", "bootstrap-table/bootstrap-table.min.css"),
    ("bootstrap-datepicker.min.js", "bootstrap-datepicker/bootstrap-datepicker.min.js"),
    ("bootstrap-datepicker.min.css", "bootstrap-datepicker/bootstrap-datepicker.min.css"),
    ("bootstrap-prefers-dark.css", None),
    ("bootstrap.min.css", "bootstrap/bootstrap.min.css"),
    ("bootstrap.min.js", "bootstrap/bootstrap.bundle.min.js"),
    ("font-awesome", "fontawesome/css/fontawesome.min.css"),
    ("jquery", "jquery/jquery.min.js"),
    ("popper", None),
    ("vega", None),
)
_ADDED = ("fontawesome/css/solid.min.css", "caregrid.css")
_OUTSIDE_TAG = re.compile(
    r"<(?P<tag>link|script)\b[^>]*?\b(?:href|src)=\"(?P<url>https?://[^\"]+)\"[^>]*>(?:\s*</script>)?"
)
_LOGO = re.compile(r"<img\s+class=\"NO-CACHE\".*?/>", re.DOTALL)
_FOOTER = re.compile(r"<footer>.*?</footer>", re.DOTALL)
_OUTSIDE_STYLE = re.compile(r"url\('https?://[^']*'\)")
_OUTSIDE_LINK = re.compile(r"<a\b[^>]*href=\"https?://[^\"]+\"[^>]*>(?P<text>.*?)</a>", re.DOTALL)


def build_docs() -> Path:
    """Build the pages below var/docs/data_docs from the results that gates kept; return the index.

    The pages stand complete beside the old ones before they take their place.
    """
    target = paths.var("docs", "data_docs")
    building = target.with_name("data_docs.part")
    shutil.rmtree(building, ignore_errors=True)
    building.mkdir(parents=True)
    _render(building.resolve())
    bring_home(building)
    old = target.with_name("data_docs.old")
    shutil.rmtree(old, ignore_errors=True)
    if target.exists():
        target.rename(old)
    building.rename(target)
    shutil.rmtree(old, ignore_errors=True)
    return target / "index.html"


def bring_home(site: Path) -> None:
    """Make every page below `site` use what lies beside it, in place of what lies outside.

    Raises:
        ValueError: a page asks for something outside that is not known here.
    """
    shutil.copytree(VENDOR, site / "static" / "vendor", dirs_exist_ok=True)
    # The styles stand in every page; pictures and fonts are of pages that are not built here.
    for unused in ("images", "styles", "fonts"):
        shutil.rmtree(site / "static" / unused, ignore_errors=True)
    for page in sorted(site.rglob("*.html")):
        depth = len(page.relative_to(site).parts) - 1
        page.write_text(at_home(page.read_text(encoding="utf-8"), "../" * depth), encoding="utf-8")


def at_home(html: str, root: str) -> str:
    """Return a page without any address outside; `root` leads from the page to the site's root.

    Raises:
        ValueError: it asks for a script or style that is not known here.
    """
    html = _OUTSIDE_TAG.sub(lambda match: _local_tag(match["tag"], match["url"], root), html)
    added = "".join(f'<link rel="stylesheet" href="{root}static/vendor/{file}"/>\n' for file in _ADDED)
    html = html.replace("</head>", f"{added}</head>", 1)
    html = re.sub(r"<link rel=\"shortcut icon\"[^>]*>", "", html)
    html = _LOGO.sub('<span class="caregrid-name">CareGrid · Data Docs · 质量检查</span>', html)
    html = re.sub(r'(<a href=")[^"]*("\s*>\s*<span class="caregrid-name")', rf"\1{root}index.html\2", html)
    html = _FOOTER.sub("", html)
    # The profiles have no name that a reader would know.
    html = html.replace(" / __none__", "")
    html = re.sub(r"Data asset: None\s*(<br\s*/?>)?", "", html)
    html = html.replace("word-break: break-all;overflow-wrap: normal;", "overflow-wrap: anywhere;")
    if not root:
        html = html.replace("<body>", '<body class="caregrid-index">', 1)
    html = _OUTSIDE_STYLE.sub("none", html)
    return _OUTSIDE_LINK.sub(lambda match: match["text"], html)


def _local_tag(tag: str, url: str, root: str) -> str:
    for part, local in _REPLACED:
        if part in url:
            if local is None:
                return ""
            address = f"{root}static/vendor/{local}"
            if tag == "link":
                return f'<link rel="stylesheet" href="{address}"/>'
            return f'<script src="{address}"></script>'
    raise ValueError(f"Data Docs ask for {url}; vendor it in {VENDOR}")


def _render(site: Path) -> None:
    """Let Great Expectations write its pages: every suite, and the results that were kept."""
    engine.prepare_environment()
    import great_expectations as gx
    from great_expectations.core.expectation_validation_result import expectationSuiteValidationResultSchema
    from great_expectations.core.run_identifier import RunIdentifier
    from great_expectations.data_context.types.base import (
        DataContextConfig,
        InMemoryStoreBackendDefaults,
        ProgressBarsConfig,
    )
    from great_expectations.data_context.types.resource_identifiers import (
        ExpectationSuiteIdentifier,
        ValidationResultIdentifier,
    )

    from expectations import landing, marts

    config = DataContextConfig(
        store_backend_defaults=InMemoryStoreBackendDefaults(init_temp_docs_sites=False),
        data_docs_sites={"caregrid": _site(site)},
        progress_bars=ProgressBarsConfig(globally=False),
        analytics_enabled=False,
    )
    context: Any = gx.get_context(mode="ephemeral", project_config=config)
    for build in (*landing.SUITES.values(), marts.every_table, *marts.MARTS.values()):
        context.suites.add(build())
    for file in sorted(paths.var("gates", "results").glob("*/*.json")):
        kept = as_plain_text(json.loads(file.read_text(encoding="utf-8")))
        result = expectationSuiteValidationResultSchema.load(kept)
        gate = "landing_gate" if file.parent.name.startswith("landing_") else "marts_gate"
        moment = datetime.strptime(file.stem, "%Y%m%dT%H%M%S%fZ").replace(tzinfo=UTC)
        key = ValidationResultIdentifier(
            expectation_suite_identifier=ExpectationSuiteIdentifier(file.parent.name),
            run_id=RunIdentifier(run_name=gate, run_time=moment),
            batch_identifier=file.stem,
        )
        context.validation_results_store.set(key, result)
    context.build_data_docs()


def as_plain_text(value: Any) -> Any:
    """Return a result in which no text can be markup: it names what publishers wrote; pages show it raw."""
    if isinstance(value, str):
        return value.replace("<", "&lt;").replace(">", "&gt;")
    if isinstance(value, dict):
        return {as_plain_text(key): as_plain_text(item) for key, item in value.items()}
    return [as_plain_text(item) for item in value] if isinstance(value, list) else value


def _site(directory: Path) -> dict[str, Any]:
    return {
        "class_name": "SiteBuilder",
        "show_how_to_buttons": False,
        "store_backend": {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(directory)},
        "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
    }

"""Serves var/docs, on loopback unless told: dbt's pages, Data Docs, builds, runbooks, under one index."""

from __future__ import annotations

import functools
import html
import http.server
import socketserver
import sys
from pathlib import Path
from typing import Any

from caregrid import paths
from caregrid.platform import runbooks

# page below var/docs → (English, Chinese)
PAGES = {
    "dbt/index.html": (
        "Tables, columns, tests and where each number comes from (dbt)",
        "数据表、字段、测试与数据血缘（dbt）",
    ),
    "lineage.html": (
        "Where each column comes from, up to the columns of the feeds (lineage)",
        "每个字段的来源，直至数据源的字段（血缘）",
    ),
    "data_docs/index.html": (
        "What the quality gates checked and found (Data Docs)",
        "数据质量检查及其结果（Data Docs）",
    ),
    "build.html": ("Models and tests of the newest build", "最近一次构建的模型与测试"),
    "runbooks/index.html": ("What to do when something fails (runbooks)", "故障处理（运行手册）"),
}
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>CareGrid · documentation · 文档</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
body {{ font: 1.05rem/1.6 system-ui, sans-serif; max-width: 56rem; margin: 3rem auto; padding: 0 1rem;
  color: #1b2733 }}
li {{ margin: 1rem 0 }} a {{ color: #0b5cad }} .none {{ color: #6b7785 }} .zh {{ display: block }}
table {{ border-collapse: collapse }} td, th {{ padding: .3rem .8rem; text-align: left; vertical-align: top;
  border-bottom: 1px solid #dde3e8 }} code {{ background: #eef2f5 }}
</style></head><body>
{content}
</body></html>
"""


def write_index() -> None:
    """Write the index page; what has not been generated yet is named as such."""
    items = []
    for page, (english, chinese) in PAGES.items():
        words = f'{html.escape(english)} <span class="zh" lang="zh">{html.escape(chinese)}</span>'
        if paths.var("docs", page).exists():
            items.append(f'<li><a href="{page}">{words}</a></li>')
        else:
            items.append(f'<li class="none">{words} — not generated yet · 尚未生成</li>')
    root = paths.var("docs")
    root.mkdir(parents=True, exist_ok=True)
    _write(
        root / "index.html",
        '<h1>CareGrid <span lang="zh">文档</span></h1>\n<ul>\n' + "\n".join(items) + "\n</ul>",
    )


def write_runbooks() -> None:
    """Write the runbooks as pages, and the list of them."""
    from markdown_it import MarkdownIt

    markdown = MarkdownIt().enable("table")
    folder = paths.var("docs", "runbooks")
    folder.mkdir(parents=True, exist_ok=True)
    items = []
    for file in sorted(runbooks.FOLDER.glob("*.md")):
        _write(folder / f"{file.stem}.html", markdown.render(file.read_text(encoding="utf-8")))
        items.append(f'<li><a href="{file.stem}.html">{html.escape(file.stem)}</a></li>')
    _write(
        folder / "index.html",
        '<h1>Runbooks <span lang="zh">运行手册</span></h1>\n<ul>\n' + "\n".join(items) + "\n</ul>",
    )


def _write(file: Path, content: str) -> None:
    file.write_text(_PAGE.format(content=content), encoding="utf-8")


class _Handler(http.server.SimpleHTTPRequestHandler):
    def do_GET(self) -> None:
        # What is generated while the server runs appears at the next visit.
        if self.path in ("/", "/index.html"):
            write_index()
        super().do_GET()

    def list_directory(self, path: Any) -> None:
        self.send_error(404)

    def log_message(self, format: str, *args: Any) -> None:
        return


class _Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    # http.server's own class asks the name service for the name of the host.
    allow_reuse_address = True
    daemon_threads = True


def serve(port: int, host: str = "127.0.0.1") -> None:
    """Serve var/docs until the process ends."""
    write_runbooks()
    handler = functools.partial(_Handler, directory=str(paths.var("docs")))
    with _Server((host, port), handler) as running:
        running.serve_forever()


if __name__ == "__main__":
    serve(int(sys.argv[1]), *sys.argv[2:])

"""Serves var/docs on 127.0.0.1: dbt's documentation and Data Docs, under one index in two languages."""

from __future__ import annotations

import functools
import html
import http.server
import socketserver
import sys
from typing import Any

from caregrid import paths

# folder below var/docs → (English, Chinese)
PAGES = {
    "dbt": (
        "Tables, columns, tests and where each number comes from (dbt)",
        "数据表、字段、测试与数据血缘（dbt）",
    ),
    "data_docs": (
        "What the quality gates checked and found (Data Docs)",
        "数据质量检查及其结果（Data Docs）",
    ),
}
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>CareGrid · documentation · 文档</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
body {{ font: 1.05rem/1.6 system-ui, sans-serif; max-width: 42rem; margin: 3rem auto; padding: 0 1rem;
  color: #1b2733 }}
li {{ margin: 1rem 0 }} a {{ color: #0b5cad }} .none {{ color: #6b7785 }} .zh {{ display: block }}
</style></head><body>
<h1>CareGrid <span lang="zh">文档</span></h1>
<ul>
{items}
</ul></body></html>
"""


def write_index() -> None:
    """Write the index page; what has not been generated yet is named as such."""
    items = []
    for folder, (english, chinese) in PAGES.items():
        words = f'{html.escape(english)} <span class="zh" lang="zh">{html.escape(chinese)}</span>'
        if paths.var("docs", folder, "index.html").exists():
            items.append(f'<li><a href="{folder}/index.html">{words}</a></li>')
        else:
            items.append(f'<li class="none">{words} — not generated yet · 尚未生成</li>')
    root = paths.var("docs")
    root.mkdir(parents=True, exist_ok=True)
    (root / "index.html").write_text(_PAGE.format(items="\n".join(items)), encoding="utf-8")


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


def serve(port: int) -> None:
    """Serve var/docs until the process ends."""
    handler = functools.partial(_Handler, directory=str(paths.var("docs")))
    with _Server(("127.0.0.1", port), handler) as running:
        running.serve_forever()


if __name__ == "__main__":
    serve(int(sys.argv[1]))

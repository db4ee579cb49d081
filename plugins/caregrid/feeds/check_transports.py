"""Checks of where a source's files come from: path, url, query, connection, and pages."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from caregrid.feeds.checker import Checker
from caregrid.feeds.document import Path as DocumentPath

_SCHEMES = ("https", "s3", "sftp")
# A page is read on its own, to tell whether another follows.
_COUNTED_FORMATS = ("csv", "tsv", "json", "ndjson")


def check_transport(checker: Checker, path: DocumentPath) -> None:
    """Check the keys of a source that say where its files come from."""
    source = checker.at(path)
    url, query = source.get("url"), source.get("query")
    if not source.get("path") and not url and not query:
        checker.report(
            path,
            "the source has neither path nor url nor query",
            "give path: below the feeds' base directory, url:, or query: with a connection:",
        )
    if url and query:
        checker.report((*path, "query"), "the source has a url and a query", "keep one of them")
    place = source.get("path")
    if place and (place.startswith("/") or ".." in PurePosixPath(place).parts):
        checker.report(
            (*path, "path"),
            f"{place!r} leaves the feeds' base directory",
            "write it relative to CAREGRID_FEEDS_BASE, or as file:///…",
        )
    if url:
        _check_url(checker, path, url)
    if query:
        _check_query(checker, path, source)
    if "connection" in source and not url and not query:
        checker.report(
            (*path, "connection"), "there is nothing that the connection opens", "give url: or query:"
        )
    scheme = urlsplit(url).scheme if url else ""
    if "connection" not in source and (query or scheme in ("s3", "sftp")):
        checker.report(
            path,
            f"{'a query' if query else scheme} needs credentials",
            "add connection: with the id of an Airflow connection",
        )
    if "paging" in source:
        _check_paging(checker, path, source, scheme)


def _check_url(checker: Checker, path: DocumentPath, url: str) -> None:
    at = (*path, "url")
    parts = urlsplit(url)
    if parts.scheme not in _SCHEMES:
        checker.report(at, f"{url!r} is not https", "use https://, s3:// or sftp://; a local file is a path:")
        return
    if not parts.hostname:
        checker.report(at, f"{url!r} names no {'bucket' if parts.scheme == 's3' else 'host'}", "name it")
    if "@" in parts.netloc:
        # The url is not repeated: it may hold a password.
        checker.report(
            at,
            "the url holds a login; this file is no place for credentials",
            "take it out and name an Airflow connection: connection: <id>",
        )
    if parts.scheme == "https":
        return
    names = unquote(parts.path).split("/")
    if ".." in names or "." in names:
        checker.report(at, f"{url!r} goes through . or ..", "write the path that it means")
    if any("**" in name for name in names):
        checker.report(at, "a star reaches over no slash here", "write one * for each directory between")
    if not names[-1]:
        checker.report(at, f"{url!r} names a directory", "add the files' pattern, for example beds_*.csv")


def _check_query(checker: Checker, path: DocumentPath, source: dict[str, Any]) -> None:
    form = source["format"]
    wanted = {"type": "csv", "delimiter": ",", "encoding": "utf-8", "quote": '"', "skip_rows": 0,
              "header": True, "decimal": ".", "thousands": None}  # fmt: skip
    for key, value in form.items():
        if key in wanted and value != wanted[key]:
            checker.report(
                (*path, "format", key),
                "the answer to a query is kept as plain CSV with a heading, in UTF-8",
                "write format: {type: csv}",
            )
    if "member" in source:
        checker.report((*path, "member"), "the answer to a query is no archive", "drop it")


def _check_paging(checker: Checker, path: DocumentPath, source: dict[str, Any], scheme: str) -> None:
    at, paging = (*path, "paging"), source["paging"]
    if scheme != "https":
        checker.report(at, "only an https address has pages", "drop it")
    follows, parameter = paging.get("next"), paging.get("parameter")
    kind = source["format"]["type"]
    if not follows and not parameter:
        checker.report(
            at, "nothing says how the next page is found", "give next: link, next: <path>, or parameter:"
        )
    if follows == "link" and parameter:
        checker.report(
            (*at, "parameter"), "a link is followed as it is, without a parameter", "drop one of both"
        )
    if follows and follows != "link" and kind != "json":
        checker.report(
            (*at, "next"), f"{follows!r} is looked for in JSON, the format is {kind}", "use next: link"
        )
    if not follows and parameter and kind not in _COUNTED_FORMATS:
        checker.report((*at, "parameter"), f"nobody can tell an empty page of {kind}", "use next: link")
    for key in ("first", "step"):
        if key in paging and (follows or not parameter):
            checker.report((*at, key), f"{key} counts pages, and needs a parameter alone", "drop it")
    if source.get("complete"):
        checker.report(
            (*path, "complete"),
            "a page is a part: what is absent from it has not ended",
            "drop complete, or take the whole in one file",
        )
    if "member" in source:
        checker.report((*path, "member"), "the pages are the members; all are taken", "drop it")

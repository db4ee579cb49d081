"""Landed bytes in an S3 bucket: whole or not there, never replaced, read through a proved local copy."""

from __future__ import annotations

import base64
import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from caregrid import faults
from caregrid.errors import CareGridError
from caregrid.landing import connections, contents, objects, spool

# What one request carries, and so what memory holds; with 10,000 parts at most a file may have 156 GiB.
PART_BYTES = 16 * 2**20
_CHUNK = 2**20
_ATTEMPTS = 3
_NAME = re.compile(r"[0-9a-f]{2}/[0-9a-f]{2}/([0-9a-f]{64})")
_MISSING, _PRECONDITION, _NOT_IMPLEMENTED = 404, 412, 501


@dataclass(frozen=True)
class Bucket:
    """The room in a bucket; see `store.Room` for what each function is to do.

    Args:
        where: s3://bucket/prefix, for messages.
        prefix: what every key begins with, empty or ending in a slash.
        connection: the credentials' name, for messages.
    """

    where: str
    name: str
    prefix: str
    connection: str
    client: Any

    @staticmethod
    def of(setting: str) -> Bucket:
        """Return the bucket that s3://bucket/prefix or s3://connection@bucket/prefix names.

        Without a connection the keys are those of the installation's own object store, where there is one,
        else of the connection caregrid_landing.

        Raises:
            CareGridError: no bucket is named, or its credentials are not there.
        """
        url = urlsplit(setting)
        given, _, bucket = url.netloc.rpartition("@")
        if not bucket or ":" in given or url.query or url.fragment:
            # What was given may hold a password: it is not repeated.
            raise CareGridError(
                "this is no address of a bucket",
                where="CAREGRID_LANDING",
                fix="set s3://bucket/prefix or s3://connection@bucket/prefix; the connection has the keys",
            )
        prefix = unquote(url.path).strip("/")
        own = not given and bool(os.environ.get("CAREGRID_OBJECT_STORE"))
        name = "" if own else given or "caregrid_landing"
        client = _client(name, os.environ.get(connections.variable(name)), os.getpid())
        where = f"s3://{bucket}/{prefix}".rstrip("/")
        return Bucket(where, bucket, f"{prefix}/" if prefix else "", name or "object_store", client)

    def key(self, sha256: str) -> str:
        """Return the key of content: prefix/ab/cd/<sha256>."""
        return f"{self.prefix}{sha256[:2]}/{sha256[2:4]}/{sha256}"

    def size(self, sha256: str) -> int | None:
        """Return how many bytes are kept."""
        try:
            return int(self.client.head_object(Bucket=self.name, Key=self.key(sha256))["ContentLength"])
        except objects.FAILURES as error:
            if objects.status_of(error) == _MISSING:
                return None
            raise self._problem(error) from None

    def take(self, temporary: Path, sha256: str, size: int) -> None:
        """Send a file under its digest, on the condition that nothing is there; keep it as a local copy."""
        self._send_unless_there(temporary, sha256, size)
        spool.adopt(temporary, sha256)

    @contextmanager
    def opened(self, sha256: str) -> Iterator[Path]:
        """Give a local copy."""
        with spool.lease(sha256, lambda path: self.copy_to(sha256, path)) as path:
            yield path

    def copy_to(self, sha256: str, target: Path) -> None:
        """Get content as a file; a transfer that breaks off begins again."""
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                with target.open("wb") as stream:
                    for piece in self._pieces(sha256):
                        stream.write(piece)
                return
            except objects.FAILURES as error:
                target.unlink(missing_ok=True)
                if attempt == _ATTEMPTS:
                    raise self._problem(error) from None
            except BaseException:
                target.unlink(missing_ok=True)
                raise

    def mend(self, path: Path, sha256: str, size: int) -> None:
        """Send a file under its digest where what lies there, read to its end, is other content."""
        try:
            for _ in self._pieces(sha256):
                pass
        except contents.GoneError:
            pass
        except contents.DamagedError:
            self.remove(sha256)
        except objects.FAILURES as error:
            raise self._problem(error) from None
        else:
            return
        self._send_unless_there(path, sha256, size)

    def kept(self) -> Iterator[tuple[str, datetime]]:
        """Yield what lies there, and since when; keys that are none of ours are passed over."""
        for entry in self._listed("list_objects_v2", "Contents"):
            if found := _NAME.fullmatch(entry["Key"].removeprefix(self.prefix)):
                yield found[1], entry["LastModified"]

    def remove(self, sha256: str) -> None:
        """Remove an object."""
        try:
            self.client.delete_object(Bucket=self.name, Key=self.key(sha256))
        except objects.FAILURES as error:
            raise self._problem(error) from None

    def drop_unfinished(self, before: datetime) -> int:
        """Abort uploads in parts that nobody has ended: a process that was killed leaves its own."""
        stale = [
            entry
            for entry in self._listed("list_multipart_uploads", "Uploads")
            if _NAME.fullmatch(entry["Key"].removeprefix(self.prefix)) and entry["Initiated"] < before
        ]
        for entry in stale:
            self._abort({"Bucket": self.name, "Key": entry["Key"], "UploadId": entry["UploadId"]})
        return len(stale)

    def _send_unless_there(self, file: Path, sha256: str, size: int) -> None:
        there = self.size(sha256)
        if there is None:
            self._send(file, sha256, size)
            there = self.size(sha256)
        if there != size:
            raise contents.damaged(sha256, f"{self.where}/{self.key(sha256)}")

    def _send(self, file: Path, sha256: str, size: int) -> None:
        whole = {"Bucket": self.name, "Key": self.key(sha256)}
        try:
            if size > PART_BYTES:
                self._send_in_parts(file, whole)
            else:
                body = file.read_bytes()
                self._conditionally("put_object", **whole, Body=body, ContentMD5=_md5(body))
        except objects.FAILURES as error:
            # Somebody has sent the same meanwhile.
            if objects.status_of(error) != _PRECONDITION:
                raise self._problem(error) from None
        faults.point("bucket:sent")

    def _send_in_parts(self, file: Path, whole: dict[str, Any]) -> None:
        upload = {**whole, "UploadId": self.client.create_multipart_upload(**whole)["UploadId"]}
        try:
            parts: list[dict[str, Any]] = []
            with file.open("rb") as stream:
                while body := stream.read(PART_BYTES):
                    number = len(parts) + 1
                    sent = self.client.upload_part(
                        **upload, PartNumber=number, Body=body, ContentMD5=_md5(body)
                    )
                    parts.append({"ETag": sent["ETag"], "PartNumber": number})
                    faults.point("bucket:mid_upload")
            self._conditionally("complete_multipart_upload", **upload, MultipartUpload={"Parts": parts})
        except BaseException:
            with suppress(CareGridError):
                self._abort(upload)
            raise

    def _conditionally(self, operation: str, **given: Any) -> None:
        """Ask for what is done only where nothing lies under the key; a server may not know the condition."""
        ask = getattr(self.client, operation)
        try:
            ask(**given, IfNoneMatch="*")
        except objects.FAILURES as error:
            if objects.status_of(error) != _NOT_IMPLEMENTED:
                raise
            # The key is the digest: who writes there writes the same.
            ask(**given)

    def _abort(self, upload: dict[str, Any]) -> None:
        try:
            self.client.abort_multipart_upload(**upload)
        except objects.FAILURES as error:
            if objects.status_of(error) != _MISSING:
                raise self._problem(error) from None

    def _pieces(self, sha256: str) -> Iterator[bytes]:
        """Yield content; at its end raise DamagedError where the digest is another."""
        where = f"{self.where}/{self.key(sha256)}"
        try:
            answer = self.client.get_object(Bucket=self.name, Key=self.key(sha256))
        except objects.FAILURES as error:
            if objects.code_of(error) == "NoSuchKey":
                raise contents.gone(sha256, where) from None
            raise
        hashed = hashlib.sha256()
        with closing(answer["Body"]) as body:
            spool.trim(max(0, spool.limit_bytes() - answer["ContentLength"]))
            for piece in body.iter_chunks(_CHUNK):
                hashed.update(piece)
                yield piece
        if hashed.hexdigest() != sha256:
            raise contents.damaged(sha256, where)

    def _listed(self, operation: str, member: str) -> Iterator[dict[str, Any]]:
        try:
            for page in self.client.get_paginator(operation).paginate(Bucket=self.name, Prefix=self.prefix):
                yield from page.get(member, ())
        except objects.FAILURES as error:
            raise self._problem(error) from None

    def _problem(self, error: Exception) -> CareGridError:
        """Return what a person is told; the library's own words hold no secret."""
        return objects.problem(error, self.name, self.where, self.connection, "CAREGRID_LANDING")


def _md5(body: bytes) -> str:
    """Return what lets the server refuse a part that was changed on its way; a guard against nobody."""
    return base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()


@lru_cache(maxsize=4)
def _client(connection: str, given: str | None, process: int) -> Any:
    """Return the client of a connection by its id, '' for the own object store; one per process and login."""
    where = "CAREGRID_LANDING"
    if not connection:
        return objects.client_of(objects.own_connection(where), where)
    return objects.client(connection, where)

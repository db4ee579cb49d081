"""MLflow's artifacts in the installation's own object store, through the door that landed files take."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from caregrid.errors import CareGridError
from caregrid.landing import objects
from caregrid.platform import artifacts

_CHUNK = 2**20


@dataclass(frozen=True)
class Bucket:
    """The room in the installation's own object store. Nothing in it is ever removed here."""

    uri: str
    name: str
    prefix: str
    client: Any

    @staticmethod
    def of(setting: str) -> Bucket:
        """Return the bucket that s3://bucket/prefix names, with the keys of the own object store."""
        url = urlsplit(setting)
        if url.scheme != "s3" or not url.netloc or "@" in url.netloc or url.query or url.fragment:
            # What was given may hold a password: it is not repeated.
            raise CareGridError(
                "this is no address of a bucket",
                where=artifacts.SETTING,
                fix="set s3://bucket or s3://bucket/prefix, or leave it out for var/mlflow",
            )
        prefix = unquote(url.path).strip("/")
        where = artifacts.SETTING
        client = objects.client_of(objects.own_connection(where), where)
        return Bucket(setting.rstrip("/"), url.netloc, f"{prefix}/" if prefix else "", client)

    def names(self) -> Iterator[str]:
        """Yield every object; names that would lead out of a directory are none of MLflow's."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=self.prefix)
        try:
            for page in pages:
                for entry in page.get("Contents", ()):
                    name = entry["Key"].removeprefix(self.prefix)
                    if not {"", ".", ".."}.intersection(name.split("/")):
                        yield name
        except objects.FAILURES as error:
            raise self._problem(error) from None

    def copy_to(self, name: str, target: Path) -> bool:
        """Get an object as a file."""
        found = self._pieces(name)
        if found is None:
            return False
        with target.open("wb") as stream:
            for piece in found:
                stream.write(piece)
        return True

    def mend(self, name: str, file: Path, sha256: str) -> None:
        """Send a file unless its content, read to its end, lies under its name already."""
        found = self._pieces(name)
        if found is not None:
            hashed = hashlib.sha256()
            for piece in found:
                hashed.update(piece)
            if hashed.hexdigest() == sha256:
                return
        try:
            with file.open("rb") as stream:
                self.client.upload_fileobj(stream, self.name, self.prefix + name)
        except objects.FAILURES as error:
            raise self._problem(error) from None

    def _pieces(self, name: str) -> Iterator[bytes] | None:
        """Return the content of an object, None where there is none."""
        try:
            answer = self.client.get_object(Bucket=self.name, Key=self.prefix + name)
        except objects.FAILURES as error:
            if objects.code_of(error) == "NoSuchKey":
                return None
            raise self._problem(error) from None
        return self._read(answer["Body"])

    def _read(self, body: Any) -> Iterator[bytes]:
        try:
            with closing(body):
                yield from body.iter_chunks(_CHUNK)
        except objects.FAILURES as error:
            raise self._problem(error) from None

    def _problem(self, error: Exception) -> CareGridError:
        return objects.problem(error, self.name, self.uri, "object_store", artifacts.SETTING)

"""One S3 client for both uses: where a source's files lie, and where landed bytes are kept."""

from __future__ import annotations

import os
from typing import Any

import boto3
import botocore.exceptions
from botocore.config import Config

from caregrid import paths
from caregrid.errors import CareGridError
from caregrid.landing.connections import Connection, connection

FAILURES = (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError)
_NEVER = {
    "verify": "certificates are verified, always",
    "role_arn": "roles are not taken on; give the keys of a login that may read",
}


def client(connection_name: str, where: str) -> Any:
    """Return an S3 client with the keys of a connection.

    The connection is Airflow's `aws`: login and password are the access key and its secret; extra may hold
    region_name, endpoint_url (for another server than Amazon's) and aws_session_token.

    Raises:
        CareGridError: the connection is not there, or has no keys.
    """
    return client_of(connection(connection_name, where), where)


def own_connection(where: str) -> Connection:
    """Return the connection to the installation's own object store: CAREGRID_OBJECT_STORE and two secrets.

    Raises:
        CareGridError: a secret cannot be read.
    """
    try:
        login, password = (
            paths.secrets(f"object_store_{name}").read_text(encoding="utf-8").strip()
            for name in ("user", "password")
        )
    except OSError as error:
        raise CareGridError(
            f"the keys of the object store cannot be read: {error.strerror}",
            where=str(error.filename),
            fix="write them with `caregrid servers secrets`, or name a connection: s3://connection@bucket/…",
        ) from None
    endpoint = {"endpoint_url": os.environ.get("CAREGRID_OBJECT_STORE", "")}
    return Connection("object_store", "aws", "", None, login, password, "", endpoint)


def client_of(given: Connection, where: str) -> Any:
    """Return an S3 client with the keys of a connection that was looked up.

    Raises:
        CareGridError: it has no keys, or asks for what is never done.
    """
    given.refuse(_NEVER, where)
    if not given.login or not given.password:
        # The library would look for the keys of whoever runs this, and use them.
        raise CareGridError(
            f"the connection {given.name!r} has no keys",
            where=where,
            fix="its login is the access key, its password the secret",
        )
    endpoint = given.extra.get("endpoint_url") or None
    config = Config(
        connect_timeout=15,
        read_timeout=60,
        retries={"mode": "standard", "max_attempts": 3},
        # Other servers than Amazon's take no trailing checksums; sha256 is the landing's own.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        s3={"addressing_style": "path" if endpoint else "auto"},
        signature_version="s3v4",
    )
    return boto3.session.Session(
        aws_access_key_id=given.login,
        aws_secret_access_key=given.password,
        aws_session_token=given.extra.get("aws_session_token"),
        region_name=given.extra.get("region_name") or "us-east-1",
    ).client("s3", config=config, endpoint_url=endpoint)


def status_of(error: Exception) -> int:
    """Return the http status of a failed request, 0 where there was no answer."""
    answer = getattr(error, "response", None) or {}
    return int(answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def code_of(error: Exception) -> str:
    """Return the server's own name of what is wrong, empty where it gave none."""
    return str((getattr(error, "response", None) or {}).get("Error", {}).get("Code", ""))


def said(error: Exception) -> str:
    """Return what the server, or the library, says is wrong; never with a secret in it."""
    answer = (getattr(error, "response", None) or {}).get("Error", {})
    if answer:
        return f"{status_of(error)} {answer.get('Code', '')}: {answer.get('Message', '')}".strip(": ")
    return f"{type(error).__name__}: {error}"


def problem(error: Exception, bucket: str, where: str, login: str, setting: str) -> CareGridError:
    """Return what a person is told of a failed request; the library's own words hold no secret.

    Args:
        where: the place in the bucket.
        login: the credentials' name.
        setting: what names the bucket.
    """
    status, what = status_of(error), said(error)
    if code_of(error) == "NoSuchBucket":
        message, fix = f"there is no bucket {bucket!r}", f"make it, or name another in {setting}"
    elif status in (401, 403):
        message = f"the object store refuses the login of {login!r}: {what}"
        fix = "see its key and secret, and that it may read, write, list and delete in the bucket"
    elif not status:
        message = f"the object store does not answer: {what}"
        fix = f"see that it runs and that {login!r} names its address, then run again"
    else:
        message, fix = f"the object store fails: {what}", "see its own log, then run again"
    return CareGridError(message, where=where, fix=fix)

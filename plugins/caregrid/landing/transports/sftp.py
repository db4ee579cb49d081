"""Files on an SFTP server: host keys verified always, unchanged files told by size and time."""

from __future__ import annotations

import base64
import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from urllib.parse import quote, unquote, urlsplit

import paramiko  # type: ignore[import-untyped]
from paramiko.pkey import UnknownKeyType  # type: ignore[import-untyped]

from caregrid.errors import CareGridError
from caregrid.landing.connections import Connection, connection
from caregrid.landing.transports.common import (
    Address,
    Answer,
    FetchFailedError,
    Known,
    Place,
    is_unsafe,
    limit_bytes,
    literal,
    matches,
    parts_of,
    too_long,
)

_CHUNK = 2**20
_SECONDS = 30.0
_BROKEN = (paramiko.SSHException, paramiko.SFTPError, EOFError, OSError)
_KEYS = (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey)


def list_addresses(place: Place) -> list[Address]:
    """Return the files that match, in order of name; of a dated source all, or those of the day asked for.

    Raises:
        CareGridError: the host is not known, or the credentials are not there.
        FetchFailedError: the server cannot be reached, refuses the credentials, or gives no list.
    """
    url = urlsplit(place.source.url or "")
    parts = parts_of(place)
    top = literal(parts)
    root = "/" + "/".join(top)
    start = f"{url.scheme}://{url.netloc}"
    try:
        found = list(_walk(_client(place), root, [], parts[len(top) :]))
    except FileNotFoundError:
        return []
    except UnicodeDecodeError as error:
        raise FetchFailedError("failed", f"a file's name in {root} is not UTF-8: {error.object!r}") from error
    except _BROKEN as error:
        raise FetchFailedError("failed", f"{root} cannot be listed: {_said(error)}") from error
    return [
        Address(start + quote(str(PurePosixPath(root, *names))), version=version, inside=root)
        for names, version in sorted(found)
    ]


@contextmanager
def open_one(place: Place, address: Address, known: Known) -> Iterator[Answer]:
    """Read a file, unless its size and time are those it was last read with.

    Raises:
        FetchFailedError: it leads out of its directory, has changed while it was read, or breaks off.
    """
    if address.version is not None and address.version == known.etag:
        yield Answer(known.etag, known.last_modified)
        return
    stream, before = _opened(place, address)
    with stream:
        if _version(before) == known.etag:
            yield Answer(known.etag, known.last_modified)
        else:
            modified = datetime.fromtimestamp(before.st_mtime or 0, UTC)
            yield Answer(_version(before), modified, _pieces(place, stream, before))


def _opened(place: Place, address: Address) -> tuple[paramiko.SFTPFile, paramiko.SFTPAttributes]:
    """Return a file that may be read, and what the server says of it."""
    path = unquote(urlsplit(address.uri).path)
    client = _client(place)
    try:
        # A link may point anywhere on the server: what counts is where it ends.
        real, inside = (client.normalize(name) or "" for name in (path, address.inside))
        if not PurePosixPath(real).is_relative_to(inside):
            raise FetchFailedError("failed", f"it leads to {real}, which is outside {inside}")
        # A pipe would keep us waiting for ever.
        if not stat.S_ISREG(client.stat(real).st_mode or 0):
            raise FetchFailedError("failed", "it is no ordinary file")
        stream = client.open(real, "rb")
        before = stream.stat()
    except FileNotFoundError as error:
        raise FetchFailedError("missing", "the file is gone") from error
    except PermissionError as error:
        raise FetchFailedError("failed", "the server does not let this login read it") from error
    except _BROKEN as error:
        raise FetchFailedError("failed", f"it cannot be opened: {_said(error)}") from error
    if (before.st_size or 0) > limit_bytes():
        stream.close()
        raise too_long(before.st_size or 0)
    return stream, before


def _pieces(place: Place, stream: paramiko.SFTPFile, before: paramiko.SFTPAttributes) -> Iterator[bytes]:
    """Yield the content; fail where it is not the whole of one version of the file."""
    received, size = 0, before.st_size or 0
    # Many requests are under way at once, as far as memory allows: else each piece waits for the one before.
    stream.prefetch(size, max_concurrent_requests=128)
    try:
        while received <= size and (piece := stream.read(_CHUNK)):
            received += len(piece)
            yield piece
        after = stream.stat()
    except _BROKEN as error:
        # A lost connection may not know it yet: the next file has one of its own.
        place.let_go("sftp")
        raise FetchFailedError("failed", f"the transfer broke off: {_said(error)}") from error
    if received != size or _version(after) != _version(before):
        raise FetchFailedError("failed", f"the file changed while it was read: {size:,} bytes were announced")


def _walk(
    client: paramiko.SFTPClient, directory: str, above: list[str], parts: list[str]
) -> Iterator[tuple[list[str], str | None]]:
    """Yield (path below the root, version) of every file that matches; links are told apart when opened.

    A link to a directory is walked where it stays below the root: the pattern's parts bound how deep. One
    that does not, or cannot be seen through, is given itself, and fails when it is opened.
    """
    for entry in client.listdir_attr(directory):
        name = entry.filename
        if is_unsafe(name) or not matches([name], parts[:1]):
            continue
        mode = entry.st_mode or 0
        if len(parts) > 1:
            below = f"{directory.rstrip('/')}/{name}"
            leads = _leads(client, below, directory, above) if stat.S_ISLNK(mode) else ""
            if stat.S_ISDIR(mode) or leads == "inside":
                yield from _walk(client, below, [*above, name], parts[1:])
            elif leads == "outside":
                yield [*above, name], None
        elif stat.S_ISREG(mode):
            yield [*above, name], _version(entry)
        elif stat.S_ISLNK(mode):
            yield [*above, name], None


def _leads(client: paramiko.SFTPClient, link: str, directory: str, above: list[str]) -> str:
    """Say where a link to a directory ends: inside the root or outside; nothing of a link to a file."""
    root = PurePosixPath(directory).parents[len(above) - 1] if above else PurePosixPath(directory)
    try:
        if not stat.S_ISDIR(client.stat(link).st_mode or 0):
            return ""
        real, inside = (client.normalize(path) or "" for path in (link, str(root)))
    except (FileNotFoundError, PermissionError):
        return "outside"
    return "inside" if PurePosixPath(real).is_relative_to(inside) else "outside"


def _version(attributes: paramiko.SFTPAttributes) -> str:
    return f"{attributes.st_size} bytes of {attributes.st_mtime}"


def _client(place: Place) -> paramiko.SFTPClient:
    """Return the session of this place, opened anew where the last one has ended."""
    client = place.hold("sftp", lambda: _session(place))
    channel = client.get_channel()
    if channel is not None and not channel.closed:
        return client
    place.let_go("sftp")
    return place.hold("sftp", lambda: _session(place))


@contextmanager
def _closed(one: paramiko.SSHClient | paramiko.SFTPClient) -> Iterator[None]:
    """Close a connection at the end; one that is lost cannot be told, and that is no failure of its own."""
    try:
        yield
    finally:
        with suppress(*_BROKEN):
            one.close()


@contextmanager
def _session(place: Place) -> Iterator[paramiko.SFTPClient]:
    url = place.source.url or ""
    given = connection(place.source.connection or "", place.where)
    host = given.only_host(url, place.where)
    port = urlsplit(url).port or given.port or paramiko.config.SSH_PORT
    given.refuse({"no_host_key_check": "host keys are verified, always"}, place.where)
    ssh = paramiko.SSHClient()
    known = _trust(ssh, given, host, port)
    ssh.set_missing_host_key_policy(_Refuse(known, place.where))
    try:
        ssh.connect(
            host,
            port,
            given.login,
            given.password or None,
            pkey=_private_key(given, place.where),
            timeout=_SECONDS,
            banner_timeout=_SECONDS,
            auth_timeout=_SECONDS,
            # Only what the connection names: no key that happens to lie about is offered to a stranger.
            allow_agent=False,
            look_for_keys=False,
        )
        client = ssh.open_sftp()
        channel = client.get_channel()
        assert channel is not None
        channel.settimeout(2 * _SECONDS)
    except paramiko.BadHostKeyException as error:
        ssh.close()
        raise CareGridError(
            f"{host} port {port} shows another host key than the one it is known by: "
            f"{error.key.get_name()} {error.key.fingerprint}, expected {error.expected_key.fingerprint}",
            where=place.where,
            fix=f"someone may stand between: ask the publisher, and only then change the key in {known}",
        ) from None
    except paramiko.AuthenticationException as error:
        ssh.close()
        raise FetchFailedError(
            "failed", f"{host} refuses the login {given.login!r} of the connection {given.name!r}: {error}"
        ) from None
    except (paramiko.SSHException, EOFError, OSError) as error:
        ssh.close()
        raise FetchFailedError("failed", f"cannot reach {host} port {port}: {_said(error)}") from None
    except BaseException:
        ssh.close()
        raise
    with _closed(ssh), _closed(client):
        yield client


class _Refuse(paramiko.MissingHostKeyPolicy):
    """Refuses a host that is not known, and says how to make it known."""

    def __init__(self, known: str, where: str) -> None:
        self.known = known
        self.where = where

    def missing_host_key(self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey) -> None:
        """Raise CareGridError with the key's fingerprint, to be compared with what the publisher says."""
        name, _, port = hostname.strip("[]").partition("]:")
        raise CareGridError(
            f"the host key of {hostname} is not known; it shows {key.get_name()} {key.fingerprint}",
            where=self.where,
            fix=f"ask the publisher for the fingerprint; if it is this one, add the line that "
            f"`ssh-keyscan -p {port or 22} {name}` prints to {self.known}",
        )


def _trust(ssh: paramiko.SSHClient, given: Connection, host: str, port: int) -> str:
    """Load the host keys that are trusted; return where they stand.

    They are the key in the connection's extra, as Airflow's SSH connection has it, or else the known_hosts
    file that CAREGRID_KNOWN_HOSTS names, by default the user's own.
    """
    if written := given.extra.get("host_key"):
        where = f"host_key in the extra of the connection {given.name!r}"
        words = str(written).split()
        kind, body = words[-2:] if len(words) > 1 else ("", words[0] if words else "")
        try:
            blob = base64.b64decode(body, validate=True)
            kind = kind or blob[4 : 4 + int.from_bytes(blob[:4], "big")].decode()
            key = paramiko.PKey.from_type_string(kind, blob)
        except (ValueError, paramiko.SSHException, UnknownKeyType) as error:
            raise CareGridError(
                "the host key cannot be read", where=where, fix="write it as ssh-ed25519 AAAA…"
            ) from error
        name = host if port == paramiko.config.SSH_PORT else f"[{host}]:{port}"
        ssh.get_host_keys().add(name, key.get_name(), key)
        return where
    file = Path(os.environ.get("CAREGRID_KNOWN_HOSTS") or Path("~/.ssh/known_hosts").expanduser())
    if file.is_file():
        ssh.load_system_host_keys(str(file))
    return str(file)


def _private_key(given: Connection, where: str) -> paramiko.PKey | None:
    """Return the key of a connection: private_key in its extra, or the file that key_file names."""
    secret = str(given.extra.get("private_key_passphrase") or "") or None
    text, file = given.extra.get("private_key"), given.extra.get("key_file")
    if not text and not file:
        return None
    with suppress(OSError, UnicodeDecodeError):
        text = text or Path(str(file)).read_text(encoding="utf-8")
    for kind in _KEYS:
        with suppress(paramiko.SSHException, ValueError, TypeError):
            return kind.from_private_key(io.StringIO(str(text)), secret)
    # What the library says may quote the key: it is not repeated.
    raise CareGridError(
        f"the private key of the connection {given.name!r} cannot be read",
        where=where,
        fix="private_key holds an Ed25519, ECDSA or RSA key, key_file names its file, "
        "private_key_passphrase opens it",
    )


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__

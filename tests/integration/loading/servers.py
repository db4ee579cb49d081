"""Real servers on loopback: OpenSSH's sshd, OpenStack Swift's S3, https; and a line that is cut."""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


def free_port() -> int:
    """Return a port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until a server listens; say what it wrote when it does not."""
    until = time.monotonic() + 120
    while time.monotonic() < until:
        if process.poll() is not None:
            break
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    process.kill()
    pytest.fail(f"the server did not start: {log.read_text(errors='replace')[-4000:]}")


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a server that a test started."""
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()
    process.terminate()
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@dataclass
class Sshd:
    """A running sshd: its port, its host key's public line, the client's key, the directory it serves."""

    port: int
    host_key: str
    client_key: Path
    files: Path
    home: Path
    process: subprocess.Popen[bytes]


def key_pair(file: Path) -> str:
    """Make an Ed25519 key; return its public line without the comment."""
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", file], check=True)
    return " ".join(file.with_suffix(".pub").read_text().split()[:2])


@contextmanager
def sshd(home: Path) -> Iterator[Sshd]:
    """Run OpenSSH's sshd for the present user, who logs in by key."""
    if SSHD is None:
        pytest.skip("sshd is not installed (Debian: openssh-server)")
    files = home / "outgoing"
    files.mkdir(parents=True)
    host_key = key_pair(home / "host_key")
    client = key_pair(home / "client_key")
    (home / "authorized_keys").write_text(client + "\n")
    port, log = free_port(), home / "sshd.log"
    (home / "sshd_config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {home}/host_key\nPidFile none\n"
        f"AuthorizedKeysFile {home}/authorized_keys\nStrictModes no\nUsePAM no\n"
        "PasswordAuthentication yes\nPermitRootLogin yes\nSubsystem sftp internal-sftp\n"
    )
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # where a privileged sshd confines its unprivileged half
    with log.open("wb") as written:
        process = subprocess.Popen(
            [SSHD, "-D", "-e", "-f", home / "sshd_config"], stdout=written, stderr=subprocess.STDOUT,
            start_new_session=True,
        )  # fmt: skip
    try:
        wait_for(port, process, log)
        yield Sshd(port, host_key, home / "client_key", files, home, process)
    finally:
        stop(process)


class Line:
    """A line to the server that is cut after so many bytes have come through it."""

    def __init__(self, port: int, cut_after: int | None) -> None:
        self.cut_after = cut_after
        self.to = port
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.port = self.listening.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                near, _ = self.listening.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", self.to))
            for source, target, limit in ((near, far, None), (far, near, self.cut_after)):
                threading.Thread(target=self._pump, args=(source, target, limit), daemon=True).start()

    @staticmethod
    def _pump(source: socket.socket, target: socket.socket, limit: int | None) -> None:
        passed = 0
        with suppress(OSError):
            while piece := source.recv(65_536):
                passed += len(piece)
                if limit is not None and passed > limit:
                    break
                target.sendall(piece)
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.listening.close()


def nothing_half_landed(publisher: Any) -> bool:
    """Return whether landing holds the bytes of its manifest and nothing else."""
    rooms = publisher.warehouse.var / "landing"
    named = {sha for (sha,) in publisher.query("select sha256 from landing.file")}
    return {path.name for path in rooms.rglob("*") if path.is_file()} == named


@dataclass
class Swift:
    """A running OpenStack Swift: the address of its S3 interface, its owner's client."""

    endpoint: str
    port: int
    owner: Any


@contextmanager
def swift(home: Path) -> Iterator[Swift]:
    """Run Swift on Debian's own Python, which alone has it."""
    python = Path("/usr/bin/python3")
    has_it = python.is_file() and not subprocess.run(
        [python, "-c", "import swift.common.middleware.s3api"], capture_output=True, cwd="/"
    ).returncode  # fmt: skip
    if not has_it:
        pytest.skip("OpenStack Swift is not installed (Debian: python3-swift)")
    home.mkdir()
    log = home / "swift.log"
    # Nothing of our own environment: it is another Python.
    with log.open("wb") as written:
        process = subprocess.Popen(
            [python, Path(__file__).with_name("swift_server.py"), home], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=written, start_new_session=True, cwd="/",
            env={"PATH": "/usr/bin:/bin"},
        )  # fmt: skip
    try:
        assert process.stdout is not None
        said = process.stdout.readline().strip()
        if not said.isdigit():
            pytest.fail(f"Swift did not start: {log.read_text(errors='replace')[-4000:]}")
        endpoint = f"http://127.0.0.1:{int(said)}"
        owner = boto3.session.Session("network:owner", "owner-secret", region_name="us-east-1").client(
            "s3", endpoint_url=endpoint, config=Config(
                s3={"addressing_style": "path"}, request_checksum_calculation="when_required",
            ),
        )  # fmt: skip
        yield Swift(endpoint, int(said), owner)
    finally:
        stop(process)


@contextmanager
def https_server(home: Path, handler: type[BaseHTTPRequestHandler]) -> Iterator[int]:
    """Run an https server on localhost; yield its port. Its certificate is home/certificate.pem."""
    key, certificate = home / "key.pem", home / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    listening = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    listening.socket = context.wrap_socket(listening.socket, server_side=True)
    thread = threading.Thread(target=listening.serve_forever, daemon=True)
    thread.start()
    try:
        yield listening.server_port
    finally:
        listening.shutdown()
        thread.join()
        listening.server_close()

"""Real servers on loopback for the tests of transports: OpenSSH's sshd."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

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

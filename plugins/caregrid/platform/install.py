"""Installs CareGrid into a virtual environment from the hash-pinned lock. Runs before anything is installed.

Only the standard library, and nothing of CareGrid, may be imported here.
Usage: python install.py .venv [requirements-scale.lock]
"""

from __future__ import annotations

import ctypes
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
LOCK = ROOT / "requirements.lock"
OLDEST, NEWEST = (3, 11), (3, 13)
# program that installs system packages → the command that installs what LightGBM needs
_GOMP = {
    "apt-get": "apt-get update && apt-get install -y libgomp1",
    "dnf": "dnf install -y libgomp",
    "microdnf": "microdnf install -y libgomp",
    "yum": "yum install -y libgomp",
    "zypper": "zypper install -y libgomp1",
    "pacman": "pacman -S --noconfirm gcc-libs",
}


def main(arguments: list[str]) -> int:
    """Install into the directory given, unless it holds these very locks already. Returns an exit code.

    Args:
        arguments: the directory; then locks, below the checkout, that come on top of requirements.lock.
    """
    target = (ROOT / (arguments[0] if arguments else ".venv")).absolute()
    locks = [LOCK, *(ROOT / name for name in arguments[1:])]
    problem = _problem()
    if problem:
        print(f"error: {problem}", file=sys.stderr)
        return 2
    stamp = target / ".installed"
    if stamp.exists() and stamp.read_text() == _fingerprint(locks):
        return 0
    running = _running_from(target)
    if running:
        print(_in_use(target, running), file=sys.stderr)
        return 2
    started = time.monotonic()
    print(f"installing into {target} with Python {platform.python_version()}", flush=True)
    try:
        _install(target, locks)
    except subprocess.CalledProcessError as error:
        print(f"error: {' '.join(error.cmd[:6])} … failed ({error.returncode})", file=sys.stderr)
        return 1
    stamp.write_text(_fingerprint(locks))
    print(f"installed in {time.monotonic() - started:.0f} s", flush=True)
    return 0


def _problem() -> str | None:
    """Return what stands in the way, with the one command that mends it; None if nothing does."""
    if not OLDEST <= sys.version_info[:2] <= NEWEST:
        return f"Python {platform.python_version()} does not serve; CareGrid needs 3.11, 3.12 or 3.13"
    if sys.platform == "linux":
        try:
            ctypes.CDLL("libgomp.so.1")
        except OSError:
            missing = "the system library libgomp.so.1 is missing, and LightGBM needs it; install it with"
            return f"{missing}\n\n    {_gomp()}\n"
    return None


def _gomp() -> str:
    for program, command in _GOMP.items():
        if shutil.which(program):
            prefix = "" if os.geteuid() == 0 else "sudo "
            return " && ".join(prefix + part for part in command.split(" && "))
    return "your system's package manager: the package is called libgomp or libgomp1"


def _running_from(target: Path) -> list[str]:
    """Return the names of the services of this checkout that run from an installation."""
    var = Path(os.environ.get("CAREGRID_VAR", ROOT / "var"))
    found = []
    for file in sorted((var / "run").glob("*.json")):
        try:
            noted = json.loads(file.read_text())
            pid, created, python = int(noted["pid"]), float(noted["created"]), Path(noted["python"])
        except (OSError, ValueError, KeyError, TypeError):
            continue  # another file of run/, or one that an older CareGrid wrote
        if python.is_relative_to(target) and _is_alive(pid, created):
            found.append(file.stem)
    try:
        leader = (var / "postgres" / "data" / "postmaster.pid").read_text().split()[0]
        # Where PostgreSQL runs from a copy of its own, the installation may go.
        if Path(f"/proc/{leader}/exe").readlink().is_relative_to(target.resolve()):
            found.append("postgres")
    except (OSError, IndexError):
        pass
    return found


def _is_alive(pid: int, created: float) -> bool:
    """Whether the process started at a moment (epoch, s) lives; its number may be another's by now."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    try:
        # After the name, which may hold anything, come the state and, 20th, the start in ticks since boot.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        boot = re.search(r"^btime (\d+)$", Path("/proc/stat").read_text(), re.MULTILINE)
    except OSError:
        return True  # no /proc: the number must do
    started = float(boot[1] if boot else 0) + int(fields[19]) / os.sysconf("SC_CLK_TCK")
    return fields[0] != "Z" and abs(started - created) < 2.0


def _in_use(target: Path, running: list[str]) -> str:
    return (
        f"error: {target.name} must be renewed (the lock, pyproject.toml or Python has changed), "
        f"but this runs from it: {', '.join(running)}\n"
        "  fix: stop it with `make down`, then repeat the command; `make up` starts it again"
    )


def _fingerprint(locks: list[Path]) -> str:
    """Return what an installation depends on: the locks, the declared commands, the interpreter."""
    digest = hashlib.sha256(
        b"".join(lock.read_bytes() for lock in locks) + (ROOT / "pyproject.toml").read_bytes()
    )
    return f"{digest.hexdigest()} {platform.python_version()} {ROOT}\n"


def _install(target: Path, locks: list[Path]) -> None:
    _run([sys.executable, "-m", "venv", "--clear", str(target)])
    pip = [
        str(target / "bin" / "python"),
        "-m",
        "pip",
        "--disable-pip-version-check",
        "--no-input",
        # Errors only: neither a mirror's missing folders nor the words of a build are news here.
        "-qq",
    ]
    wheels = ["--require-hashes", "--only-binary=:all:", "--no-deps"]
    with tempfile.TemporaryDirectory() as folder:
        # The pip that comes with Python may be too old for the lock; the lock pins a newer one.
        first = Path(folder) / "pip.txt"
        first.write_text(_pin("pip"))
        _run([*pip, "install", *wheels, "-r", str(first)])
    for lock in locks:
        _run([*pip, "install", *wheels, "-r", str(lock)])
    _run([*pip, "install", "--no-deps", "--no-build-isolation", "-e", str(ROOT)])


def _pin(package: str) -> str:
    """Return the lock's lines for one package."""
    found = re.search(rf"^{package}==.*?(?=^\S|\Z)", LOCK.read_text(), re.MULTILINE | re.DOTALL)
    if not found:
        raise SystemExit(f"error: {LOCK.name} does not pin {package}; renew it with `make lock`")
    return found[0]


def _run(command: list[str]) -> None:
    # A PYTHONPATH of the shell must not decide what is installed; pip compiles what it installs.
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
    # setuptools warns at length of every editable installation.
    subprocess.run(command, check=True, cwd=ROOT, env=kept | {"PYTHONWARNINGS": "ignore"})


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

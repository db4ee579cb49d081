"""Notes every address outside loopback that a Python process asks for. Loaded by each, from PYTHONPATH."""

import os
import sys

_EVENTS = {
    "socket.connect",
    "socket.sendto",
    "socket.getaddrinfo",
    "socket.gethostbyname",
    "socket.gethostbyaddr",
}
_INSIDE = ("127.", "::1", "localhost", "0.0.0.0")
_LOG = os.environ.get("LOOPBACK_LOG")


def _watch(event, arguments):
    if event not in _EVENTS:
        return
    host = arguments[1] if event in ("socket.connect", "socket.sendto") else arguments[0]
    if isinstance(host, tuple):
        host = host[0]
    if isinstance(host, bytes):
        host = host.decode(errors="replace")
    # None is this machine; a path is a socket of this machine; AF_NETLINK and the like give numbers.
    if not isinstance(host, str) or not host or host.startswith(("/", "\0", *_INSIDE)):
        return
    with open(_LOG, "a") as log:  # noqa: PTH123
        log.write(f"{event} {host} pid={os.getpid()} {' '.join(sys.argv)[:200]}\n")


if _LOG:
    with open(_LOG + ".processes", "a") as log:  # noqa: PTH123
        log.write(f"{os.getpid()} {sys.argv[0] if getattr(sys, 'argv', None) else sys.executable}\n")
    sys.addaudithook(_watch)

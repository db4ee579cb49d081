"""Runs OpenStack Swift with its S3 interface on loopback, in one directory; started by Debian's own Python.

Usage: swift_server.py DIRECTORY. It prints the port of the S3 interface and ends with its standard input.
"""

import sys
from pathlib import Path

import eventlet
import eventlet.wsgi

# Swift does the same later, when there are many more locks to look through.
eventlet.patcher.monkey_patch(all=False, socket=True, select=True, thread=True)

from swift.common import utils  # noqa: E402

# The access key is account:user.
USERS = "user_network_owner = owner-secret .admin\nuser_network_reader = reader-secret"
STORAGE = ("account", "container", "object")


def main() -> None:
    """Run a proxy and three storage servers over a single device, all in this process."""
    home = Path(sys.argv[1])
    (home / "devices" / "one").mkdir(parents=True)
    (home / "swift.conf").write_text("[swift-hash]\nswift_hash_path_suffix = test\n")
    utils.set_swift_dir(str(home))
    from swift.common.ring import RingBuilder
    from swift.common.wsgi import SwiftHttpProtocol, loadapp

    common = f"[DEFAULT]\nswift_dir = {home}\nbind_ip = 127.0.0.1\n"
    sockets = {name: eventlet.listen(("127.0.0.1", 0)) for name in (*STORAGE, "proxy")}
    for name in STORAGE:
        (home / f"{name}.conf").write_text(
            f"{common}devices = {home}/devices\nmount_check = false\n"
            f"[pipeline:main]\npipeline = {name}-server\n[app:{name}-server]\nuse = egg:swift#{name}\n"
        )
        builder = RingBuilder(4, 1, 1)
        port = sockets[name].getsockname()[1]
        builder.add_dev(
            {"region": 1, "zone": 1, "ip": "127.0.0.1", "port": port, "device": "one", "weight": 1}
        )
        builder.rebalance()
        builder.get_ring().save(str(home / f"{name}.ring.gz"))
    (home / "proxy.conf").write_text(
        f"{common}[pipeline:main]\n"
        "pipeline = catch_errors gatekeeper cache s3api tempauth copy slo dlo proxy-server\n"
        "[app:proxy-server]\nuse = egg:swift#proxy\naccount_autocreate = true\n"
        "[filter:catch_errors]\nuse = egg:swift#catch_errors\n"
        "[filter:gatekeeper]\nuse = egg:swift#gatekeeper\n"
        # Nobody listens there: nothing is cached, which Swift puts up with.
        "[filter:cache]\nuse = egg:swift#memcache\nmemcache_servers = 127.0.0.1:1\n"
        "[filter:s3api]\nuse = egg:swift#s3api\nlocation = us-east-1\nmax_bucket_listing = 50\n"
        f"[filter:tempauth]\nuse = egg:swift#tempauth\n{USERS}\n"
        "[filter:copy]\nuse = egg:swift#copy\n[filter:slo]\nuse = egg:swift#slo\n"
        "[filter:dlo]\nuse = egg:swift#dlo\n"
    )
    for name, socket in sockets.items():
        application = loadapp(str(home / f"{name}.conf"), global_conf={})
        eventlet.spawn(
            eventlet.wsgi.server, socket, application, protocol=SwiftHttpProtocol, log_output=False
        )
    print(sockets["proxy"].getsockname()[1], flush=True)
    eventlet.tpool.execute(sys.stdin.read)


if __name__ == "__main__":
    main()

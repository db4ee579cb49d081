"""The embedded server: who gets in where, where the cluster lies, and that a restart keeps everything."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
from pathlib import Path
from typing import Any

import psycopg
import pytest
from caregrid.database import binaries, connect, migrate, server

pytestmark = pytest.mark.integration


def _reachable(dsn: str, database: str) -> bool:
    try:
        psycopg.connect(f"{dsn.rsplit('/', 1)[0]}/{database}").close()
    except psycopg.OperationalError:
        return False
    return True


def test_every_role_reaches_its_own_databases_only(warehouse: Any, database_server: dict[str, str]) -> None:
    with psycopg.connect(database_server["admin"]) as admin:
        databases = {name for (name,) in admin.execute("select datname from pg_database where datallowconn")}
    assert {"postgres", "template1", "airflow", "mlflow", "warehouse", warehouse.database} <= databases
    of_warehouse = {name for name in databases if name == "warehouse" or name.startswith("test_")}
    allowed = dict.fromkeys(connect.ROLES, of_warehouse) | {"airflow": {"airflow"}, "mlflow": {"mlflow"}}
    for role, expected in allowed.items():
        assert {name for name in databases if _reachable(database_server[role], name)} == expected, role


def test_public_holds_no_privilege_on_any_database(warehouse: Any, database_server: dict[str, str]) -> None:
    with psycopg.connect(database_server["admin"]) as admin:
        open_doors = admin.execute(
            "select datname, privilege_type from pg_database, "
            "aclexplode(coalesce(datacl, acldefault('d', datdba))) as acl where acl.grantee = 0"
        ).fetchall()
    assert open_doors == []


def test_secrets_are_readable_by_their_owner_alone(database_server: dict[str, str], test_var: Path) -> None:
    folder = test_var / "secrets"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert [stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()] == [0o600]


def test_server_listens_on_loopback_and_demands_scram(database_server: dict[str, str]) -> None:
    with psycopg.connect(database_server["admin"]) as admin:
        settings = dict(
            admin.execute(
                "select name, setting from pg_settings where name in "
                "('listen_addresses', 'unix_socket_directories', 'password_encryption')"
            ).fetchall()
        )
        methods = {row[0] for row in admin.execute("select auth_method from pg_hba_file_rules")}
    assert settings == {
        "listen_addresses": "127.0.0.1", "unix_socket_directories": "", "password_encryption": "scram-sha-256"
    }  # fmt: skip
    assert methods == {"scram-sha-256"}


@pytest.mark.parametrize("mode", [0o755, 0o700])
def test_cluster_survives_a_restart_also_below_a_closed_directory(
    mode: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parent = tmp_path / "parent"
    parent.mkdir(mode=mode)
    monkeypatch.setenv("CAREGRID_VAR", str(parent / "var"))
    try:
        server.start(durable=False)
        migrate.migrate(connect.dsn("owner"))
        before = json.loads(connect.secrets_file().read_text())
        assert server.stop()
        assert not server.is_running()
        server.start(durable=False)
        with connect.connect("bi_reader") as reader:
            assert reader.execute("select current_database()").fetchone() == ("warehouse",)
        passwords = {role: psycopg.conninfo.conninfo_to_dict(dsn)["password"] for role, dsn in before.items()}
        after = json.loads(connect.secrets_file().read_text())
        assert passwords == {
            role: psycopg.conninfo.conninfo_to_dict(dsn)["password"] for role, dsn in after.items()
        }
        home = parent / "var" / "postgres"
        cluster = home.resolve()
    finally:
        server.delete()
    assert not home.exists()
    assert not cluster.exists()
    assert not cluster.parent.exists() or os.geteuid() != 0 or binaries.ROOTS_CLUSTERS not in cluster.parents


@pytest.mark.parametrize("holder", ["the killed server, not yet collected", "another program"])
def test_a_killed_server_starts_again_though_its_number_is_taken(
    holder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CAREGRID_VAR", str(tmp_path / "var"))
    lock_file = tmp_path / "var" / "postgres" / "data" / "postmaster.pid"
    stranger = subprocess.Popen(["sleep", "600"])
    try:
        server.start(durable=False)
        started = server._processes.pop(lock_file.parent.resolve())
        os.kill(started.pid, signal.SIGKILL)
        os.waitid(os.P_PID, started.pid, os.WEXITED | os.WNOWAIT)
        if holder == "another program":
            started.wait()
            _, *rest = lock_file.read_text().splitlines()
            lock_file.write_text("\n".join([str(stranger.pid), *rest, ""]))
        assert not server.is_running()
        server.start(durable=False)
        assert server.is_running()
        with connect.connect("owner") as owner:
            assert owner.execute("select 1").fetchone() == (1,)
        started.wait()
    finally:
        server.delete()
        stranger.kill()
        stranger.wait()

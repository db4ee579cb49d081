"""How servers differ from one machine: settings, secrets by file, commands without a secret in them."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from caregrid.database import connect, roles, server
from caregrid.errors import CareGridError
from caregrid.platform import accounts, environment, server_secrets, servers

pytestmark = pytest.mark.unit


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Secrets of an installation on servers, and its settings as docker-compose.yaml gives them."""
    secrets = tmp_path / "secrets"
    server_secrets.write(secrets)
    monkeypatch.setenv("CAREGRID_VAR", str(tmp_path / "var"))
    monkeypatch.setenv("CAREGRID_SECRETS", str(secrets))
    monkeypatch.setenv("CAREGRID_SIGN_IN", "fab")
    monkeypatch.setenv("CAREGRID_LISTEN", "0.0.0.0")
    monkeypatch.setenv("CAREGRID_AIRFLOW_URL", "http://airflow-api-server:8080")
    return secrets


def test_secrets_are_written_once(folder: Path) -> None:
    before = {file.name: file.read_text() for file in folder.iterdir()}
    assert set(before) == set(server_secrets.FILES)
    assert server_secrets.write(folder) == []
    assert {file.name: file.read_text() for file in folder.iterdir()} == before
    (folder / "redis_password").unlink()
    assert server_secrets.write(folder) == ["redis_password"]


def test_the_folder_is_closed_and_its_files_are_for_reading(folder: Path) -> None:
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o444}


def test_no_two_secrets_are_alike_and_none_is_short(folder: Path) -> None:
    dsns = json.loads((folder / "database.json").read_text())
    assert set(dsns) == set(roles.LOGINS)
    words = [unquote(urlsplit(dsn).password or "") for dsn in dsns.values()]
    words += json.loads((folder / "airflow_accounts.json").read_text()).values()
    words += json.loads((folder / "keys.json").read_text()).values()
    words += [(folder / f"{name}_password").read_text() for name in ("postgres", "redis", "object_store")]
    assert len(set(words)) == len(words)
    assert min(map(len, words)) >= 16


def test_secrets_given_by_file_are_read_and_not_made(folder: Path) -> None:
    folder.chmod(0o500)
    assert connect.dsn("airflow").endswith("@postgres:5432/airflow")
    assert accounts.keys() == json.loads((folder / "keys.json").read_text())
    assert accounts.passwords_file() == folder / "airflow_accounts.json"
    assert server.is_external()


def test_servers_use_the_accounts_of_the_database(folder: Path) -> None:
    settings = environment.environment()
    assert settings["AIRFLOW__CORE__AUTH_MANAGER"].endswith(".FabAuthManager")
    assert not [name for name in settings if "SIMPLE_AUTH_MANAGER" in name]
    assert settings["AIRFLOW__API__HOST"] == "0.0.0.0"
    assert settings["AIRFLOW__API__PORT"] == "8080"
    assert settings["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] == "http://airflow-api-server:8080/execution/"


def test_accounts_of_one_machine_never_listen_to_others(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CAREGRID_SIGN_IN", "simple")
    with pytest.raises(CareGridError, match="made for one machine"):
        environment.environment()


def test_an_unknown_setting_is_told_with_those_there_are(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CAREGRID_EXECUTOR", "KubernetesExecutor")
    with pytest.raises(CareGridError, match="LocalExecutor or CeleryExecutor") as told:
        environment.deployment()
    assert "CAREGRID_EXECUTOR" in str(told.value)


def test_celery_wants_a_broker_and_puts_its_password_in(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CAREGRID_EXECUTOR", "CeleryExecutor")
    with pytest.raises(CareGridError, match="needs a broker"):
        environment.environment()
    monkeypatch.setenv("CAREGRID_BROKER", "redis://redis:6379/0")
    (folder / "redis_password").chmod(0o600)
    (folder / "redis_password").write_text("a:b@c/d\n")
    settings = environment.environment()
    assert settings["AIRFLOW__CORE__EXECUTOR"] == "CeleryExecutor"
    assert settings["AIRFLOW__CELERY__BROKER_URL"] == "redis://:a%3Ab%40c%2Fd@redis:6379/0"


def test_models_go_to_the_object_store_where_one_is_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert environment.environment()["MLFLOW_DEFAULT_ARTIFACT_ROOT"].startswith("file://")
    monkeypatch.setenv("CAREGRID_ARTIFACTS", "s3://mlflow")
    monkeypatch.setenv("CAREGRID_OBJECT_STORE", "http://object-store:9000")
    settings = environment.environment()
    assert settings["MLFLOW_DEFAULT_ARTIFACT_ROOT"] == "s3://mlflow"
    assert settings["MLFLOW_S3_ENDPOINT_URL"] == "http://object-store:9000"
    assert settings["AWS_SECRET_ACCESS_KEY"] == (folder / "object_store_password").read_text()


def test_no_command_shows_a_secret(folder: Path) -> None:
    words = [file.read_text() for file in folder.iterdir() if file.suffix != ".json"]
    words += [urlsplit(connect.dsn(role)).password or "" for role in roles.LOGINS]
    words = [word for word in words if word]
    assert len(words) > len(roles.LOGINS)
    for name in servers.NAMES:
        line = " ".join(servers.command(name))
        assert not [word for word in words if word in line]
    with pytest.raises(CareGridError, match="services there are: airflow-api-server"):
        servers.command("flower")

"""docker-compose.yaml keeps to the compose specification, and to our own rules of what runs on servers."""

from __future__ import annotations

import copy
import json
import re
from importlib import resources
from typing import Any

import jsonschema
import pytest
import yaml
from caregrid.paths import ROOT
from caregrid.platform import server_secrets, servers

pytestmark = pytest.mark.unit

TEXT = (ROOT / "docker-compose.yaml").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
DOCKERFILE = (ROOT / "plugins" / "caregrid" / "platform" / "Dockerfile").read_text(encoding="utf-8")
ONCE = {name for name, service in SERVICES.items() if service["restart"] == "no"}
SECRET = re.compile(r"PASSWORD|SECRET|KEY|TOKEN|_USER|DSN", re.IGNORECASE)


def unset(value: str) -> str:
    """Return a value as compose reads it where no variable is set."""
    return re.sub(r"\$\{\w+:?-([^}]*)\}", r"\1", value)


def validator() -> Any:
    """Return the validator of the specification's own schema, which the package check-jsonschema carries."""
    vendored = resources.files("check_jsonschema") / "builtin_schemas" / "vendor" / "compose-spec.json"
    schema = json.loads(vendored.read_text(encoding="utf-8"))
    return jsonschema.validators.validator_for(schema)(schema)


def test_it_keeps_to_the_specification() -> None:
    assert [f"{error.json_path}: {error.message}" for error in validator().iter_errors(COMPOSE)] == []


@pytest.mark.parametrize(
    ("key", "value"), [("image", 18), ("ports", "5432"), ("healthcheck", {"tests": []}), ("restarts", "no")]
)
def test_the_schema_refuses_what_is_wrong(key: str, value: Any) -> None:
    broken = copy.deepcopy(COMPOSE)
    broken["services"]["postgres"][key] = value
    assert list(validator().iter_errors(broken))


def test_every_part_of_the_system_is_there() -> None:
    wanted = {*servers.NAMES, "postgres", "object-store", "redis", "init"}
    assert wanted <= set(SERVICES)
    assert {name for name, service in SERVICES.items() if service.get("profiles")} == {
        "redis",
        "airflow-worker",
    }
    assert SERVICES["airflow-worker"]["profiles"] == SERVICES["redis"]["profiles"] == ["scale"]
    assert SERVICES["airflow-worker"]["deploy"]["replicas"] == 2
    assert SERVICES["postgres"]["image"].startswith("postgres:18.")


def test_every_image_is_pinned() -> None:
    base = re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
    assert base
    for image in [*(service["image"] for service in SERVICES.values()), *base]:
        tag = image.partition(":")[2]
        assert re.search(r"\d+\.\d+|\d{4}-\d\d-\d\dT", tag), image
        assert "latest" not in tag


def test_our_image_bears_our_version() -> None:
    version = re.search(r'^version = "(.+)"', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    ours = {service["image"] for service in SERVICES.values() if "build" in service}
    assert version
    assert ours == {f"caregrid:{version[1]}"}


def test_every_service_is_asked_for_its_health_or_ends_and_is_waited_for() -> None:
    waited = {
        name
        for service in SERVICES.values()
        for name, how in service.get("depends_on", {}).items()
        if how["condition"] == "service_completed_successfully"
    }
    assert waited == ONCE
    for name in set(SERVICES) - ONCE:
        assert SERVICES[name]["healthcheck"]["test"][0] in ("CMD", "CMD-SHELL"), name
        assert not SERVICES[name]["healthcheck"].get("disable"), name


def test_services_that_are_waited_for_as_healthy_have_a_health() -> None:
    for service in SERVICES.values():
        for name, how in service.get("depends_on", {}).items():
            assert name in SERVICES
            assert how["condition"] != "service_started"
            assert how["condition"] != "service_healthy" or "healthcheck" in SERVICES[name]


def test_commands_and_health_are_those_of_the_program() -> None:
    for name in servers.NAMES:
        assert SERVICES[name]["command"] == ["servers", "run", name]
        assert SERVICES[name]["healthcheck"]["test"] == ["CMD", "caregrid", "servers", "healthy", name]
    assert SERVICES["init"]["command"] == ["servers", "init"]


def test_nobody_is_root_and_nobody_can_become_it() -> None:
    for name, service in SERVICES.items():
        assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", service["user"]), name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert "privileged" not in service
        assert "cap_add" not in service
    assert re.search(r"^USER 10001:10001$", DOCKERFILE, re.MULTILINE)


def test_no_secret_stands_in_the_file() -> None:
    for name, service in SERVICES.items():
        for variable, value in service.get("environment", {}).items():
            if SECRET.search(variable) and variable != "CAREGRID_SECRETS":
                assert variable.endswith("_FILE"), f"{name}: {variable}"
                assert value.removeprefix("/run/secrets/") in service["secrets"], f"{name}: {variable}"
        assert "env_file" not in service
    assert not re.search(r"://[^\s/@\"']+@", TEXT), "an address with a password"
    assert not re.search(r"^\s*(ENV|ARG)[^\n]*(PASSWORD|TOKEN|SECRET)", DOCKERFILE, re.MULTILINE)


def test_secrets_are_the_files_that_are_written() -> None:
    assert set(COMPOSE["secrets"]) == set(server_secrets.FILES)
    for name, secret in COMPOSE["secrets"].items():
        assert unset(secret["file"]) == f"./var/servers/secrets/{name}"
    for service in SERVICES.values():
        assert set(service.get("secrets", [])) <= set(COMPOSE["secrets"])


def test_the_superuser_s_password_is_given_to_two_alone() -> None:
    given = {name for name, service in SERVICES.items() if "postgres_password" in service.get("secrets", [])}
    assert given == {"postgres", "init"}
    assert SERVICES["docs"]["secrets"] == []


def test_only_loopback_is_published_unless_asked() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert set(published) == {"postgres", "airflow-api-server", "mlflow", "docs"}
    for name, addresses in published.items():
        for address in addresses:
            assert re.fullmatch(r"127\.0\.0\.1:\d+:\d+", unset(address)), name
    # These ask nobody who they are: not even when asked.
    for name in ("mlflow", "docs"):
        assert published[name] == [unset(address) for address in published[name]]
    assert all("network_mode" not in service for service in SERVICES.values())


def test_nothing_of_the_host_is_mounted_writable() -> None:
    mounts = [
        unset(mount)
        for service in SERVICES.values()
        for mount in service.get("volumes", [])
        if isinstance(mount, str)
    ]
    assert mounts
    for mount in mounts:
        source = mount.split(":")[0]
        assert source in COMPOSE["volumes"] or mount.endswith(":ro"), mount


def test_every_setting_is_one_that_the_code_reads() -> None:
    read = "".join(file.read_text() for file in (ROOT / "plugins" / "caregrid").rglob("*.py"))
    given = {name for service in SERVICES.values() for name in service.get("environment", {})}
    ours = {name for name in given if name.startswith("CAREGRID_")}
    assert len(ours) > 5
    assert {name for name in ours if f'"{name}"' not in read} == set()
    assert unset(SERVICES["airflow-scheduler"]["environment"]["CAREGRID_EXECUTOR"]) == "LocalExecutor"


def test_landed_files_and_models_lie_in_the_object_store_of_these_services() -> None:
    for name in servers.NAMES:
        given = SERVICES[name]["environment"]
        assert given["CAREGRID_OBJECT_STORE"] == "http://object-store:9000", name
        buckets = [given[setting] for setting in ("CAREGRID_LANDING", "CAREGRID_ARTIFACTS")]
        assert all(re.fullmatch(r"s3://[a-z]+", bucket) for bucket in buckets), name
        assert len(set(buckets)) == 2, name
    # Who makes the buckets has the keys, and waits for the store.
    init = SERVICES["init"]
    assert {"object_store_user", "object_store_password"} <= set(init["secrets"])
    assert init["depends_on"]["object-store"] == {"condition": "service_healthy"}
    assert init["environment"] == SERVICES["airflow-scheduler"]["environment"]


def test_the_image_holds_what_there_is_and_comes_from_the_lock() -> None:
    copied = re.findall(r"^COPY (\S+) ", DOCKERFILE, re.MULTILINE)
    assert len(copied) > 5
    assert [name for name in copied if not (ROOT / name).exists()] == []
    assert "--require-hashes" in DOCKERFILE
    assert "-r requirements-scale.lock" in DOCKERFILE
    allowed = (ROOT / "plugins/caregrid/platform/Dockerfile.dockerignore").read_text().splitlines()
    assert {f"!{name}" for name in copied} <= set(allowed)
    assert "*" in allowed

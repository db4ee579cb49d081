"""Backup and restore with landed files in OpenStack Swift: emptied, damaged, moved to the disk and back."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from caregrid.platform import accounts
from caregrid.simulate import simulate

from tests.integration.faults import contents
from tests.integration.faults.installation import Installation
from tests.integration.loading.servers import Swift, swift

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1800)]

BUCKET, MODELS = "network-landing", "network-models"
LOAD = "from tests.integration.faults import work; work.load()"
# With what a service of MLflow is given, MLflow's own code writes a run and artifacts of it; the larger one
# takes several parts.
TRACK = """
import os
from caregrid.platform import environment
os.environ.update(environment.environment())
import mlflow
mlflow.set_tracking_uri(os.environ["MLFLOW_BACKEND_STORE_URI"])
mlflow.create_experiment("drill", artifact_location=os.environ["MLFLOW_DEFAULT_ARTIFACT_ROOT"] + "/1")
mlflow.set_experiment("drill")
with mlflow.start_run():
    mlflow.log_text("weights", "model.txt")
    mlflow.log_text("9" * (9 << 20), "large.txt")
"""
READ = """
import os
from caregrid.platform import environment
os.environ.update(environment.environment())
import mlflow
mlflow.set_tracking_uri(os.environ["MLFLOW_BACKEND_STORE_URI"])
(run,) = mlflow.search_runs(experiment_names=["drill"], output_format="list")
large = mlflow.artifacts.load_text(run.info.artifact_uri + "/large.txt")
print(run.info.artifact_uri, len(large), mlflow.artifacts.load_text(run.info.artifact_uri + "/model.txt"))
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Swift]:
    with swift(tmp_path_factory.mktemp("backup") / "swift") as running:
        for bucket in (BUCKET, MODELS):
            running.owner.create_bucket(Bucket=bucket)
        yield running


@pytest.fixture(scope="module")
def here(test_var: Path, server: Swift) -> Iterator[Installation]:
    login = {
        "conn_type": "aws", "login": "network:owner", "password": "owner-secret",
        "extra": {"endpoint_url": server.endpoint},
    }  # fmt: skip
    made = Installation(test_var / "drill_bucket", {
        "CAREGRID_LANDING": f"s3://{BUCKET}/landed", "AIRFLOW_CONN_CAREGRID_LANDING": json.dumps(login),
    })  # fmt: skip
    simulate(made.var / "simulated", seed=5, facilities=4, days=14, start=date(2025, 11, 3))
    made.caregrid("database", "start")
    made.run("-c", LOAD)
    yield made
    made.delete()


def landed(server: Swift, bucket: str = BUCKET) -> dict[str, str]:
    """Return {name: sha256} of every object."""
    found = server.owner.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    return {
        entry["Key"]: hashlib.sha256(
            server.owner.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read()
        ).hexdigest()
        for page in found
        for entry in page.get("Contents", ())
    }


def is_whole(objects: dict[str, str]) -> bool:
    return all(key.endswith(f"/{sha256}") for key, sha256 in objects.items())


def named(here: Installation) -> set[str]:
    with here.connect() as connection:
        rows = connection.execute("select distinct sha256 from landing.file").fetchall()
    return {sha256 for (sha256,) in rows}


def test_a_lost_bucket_and_a_lost_machine_come_back_row_for_row(
    here: Installation, server: Swift, tmp_path: Path
) -> None:
    before = landed(server)
    assert is_whole(before)
    assert set(before.values()) == named(here)
    kept = tmp_path / "kept"
    assert f"{len(before)} landed files" in here.caregrid("backup", "--to", str(kept))
    rows, simulated = here.rows(), here.var / "simulated"
    simulated.rename(tmp_path / "simulated")
    here.delete()
    gone, short, other, *_ = before
    server.owner.delete_object(Bucket=BUCKET, Key=gone)
    server.owner.put_object(Bucket=BUCKET, Key=short, Body=b"")
    size = server.owner.head_object(Bucket=BUCKET, Key=other)["ContentLength"]
    server.owner.put_object(Bucket=BUCKET, Key=other, Body=b"?" * size)
    server.owner.put_object(Bucket=BUCKET, Key="somebody/else", Body=b"not ours")
    here.caregrid("restore", str(kept))
    after = landed(server)
    assert after.pop("somebody/else")
    assert after == before
    assert contents.differences(here.rows(), rows) == []
    (tmp_path / "simulated").rename(simulated)
    # The next run finds everything there and loads nothing twice.
    here.run("-c", LOAD)
    assert len(here.rows()["warehouse: raw.load"]) == len(rows["warehouse: raw.load"])
    server.owner.delete_object(Bucket=BUCKET, Key="somebody/else")


def test_what_the_bucket_has_lost_is_told_by_the_backup(
    here: Installation, server: Swift, tmp_path: Path
) -> None:
    key, sha256 = next(iter(landed(server).items()))
    body = server.owner.get_object(Bucket=BUCKET, Key=key)["Body"].read()
    for damage in (b"", body[:-1] + b"?"):
        server.owner.put_object(Bucket=BUCKET, Key=key, Body=damage)
        told = here.caregrid("backup", "--to", str(tmp_path / f"lacking{len(damage)}"), code=1)
        assert f"missing: the landed file {sha256}" in told
    server.owner.put_object(Bucket=BUCKET, Key=key, Body=body)


def test_an_installation_moves_to_the_disk_by_a_backup(
    here: Installation, server: Swift, tmp_path: Path
) -> None:
    kept = tmp_path / "kept"
    here.caregrid("backup", "--to", str(kept))
    before: Any = landed(server)
    setting = here.settings.pop("CAREGRID_LANDING")
    here.caregrid("restore", str(kept), "--overwrite")
    assert set(contents.landed(here.var).items()) == {(name, name) for name in before.values()}
    second = tmp_path / "second"
    here.caregrid("backup", "--to", str(second))
    for key in before:
        server.owner.delete_object(Bucket=BUCKET, Key=key)
    here.settings["CAREGRID_LANDING"] = setting
    here.caregrid("restore", str(second), "--overwrite")
    assert landed(server) == before


def give_models_a_bucket(here: Installation, server: Swift) -> None:
    """Let MLflow's artifacts lie in the object store, whose keys are secrets of the installation."""
    folder = here.var / "secrets"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "object_store_user").write_text("network:owner\n")
    (folder / "object_store_password").write_text("owner-secret\n")
    here.settings["CAREGRID_ARTIFACTS"] = f"s3://{MODELS}/kept"
    here.settings["CAREGRID_OBJECT_STORE"] = server.endpoint


def read_models(here: Installation) -> list[str]:
    """Return where MLflow finds the artifacts of its run, the length of the large one, and the small one."""
    return here.run("-c", READ).splitlines()[-1].split()


def test_models_in_a_bucket_come_back_with_the_databases_that_name_them(
    here: Installation, server: Swift, tmp_path: Path
) -> None:
    give_models_a_bucket(here, server)
    here.run("-c", TRACK)
    before = landed(server, MODELS)
    assert len(before) == 2
    assert all(name.startswith("kept/1/") for name in before)
    # No run of MLflow's names it.
    server.owner.put_object(Bucket=MODELS, Key="kept/2/stranger/model.txt", Body=b"not ours")
    kept = tmp_path / "kept"
    assert "2 artifacts of MLflow" in here.caregrid("backup", "--to", str(kept))
    rows = here.rows()
    here.delete()
    (small,) = (name for name in before if name.endswith("model.txt"))
    (large,) = (name for name in before if name.endswith("large.txt"))
    server.owner.put_object(Bucket=MODELS, Key=small, Body=b"weighty")
    server.owner.delete_object(Bucket=MODELS, Key=large)
    give_models_a_bucket(here, server)
    assert "2 artifacts of MLflow" in here.caregrid("restore", str(kept))
    after = landed(server, MODELS)
    assert after.pop("kept/2/stranger/model.txt")
    assert after == before
    assert contents.differences(here.rows(), rows) == []
    uri, length, text = read_models(here)
    assert (uri.startswith(f"s3://{MODELS}/kept/1/"), length, text) == (True, str(9 << 20), "weights")


def test_models_move_between_bucket_and_disk_by_a_backup(
    here: Installation, server: Swift, tmp_path: Path
) -> None:
    give_models_a_bucket(here, server)
    before = landed(server, MODELS)
    here.caregrid("backup", "--to", str(tmp_path / "from_bucket"))
    del here.settings["CAREGRID_ARTIFACTS"]
    here.caregrid("restore", str(tmp_path / "from_bucket"), "--overwrite")
    root = here.var / "mlflow" / "artifacts"
    uri, _, text = read_models(here)
    assert (uri.startswith(root.resolve().as_uri()), text) == (True, "weights")
    here.caregrid("backup", "--to", str(tmp_path / "from_disk"))
    for name in before:
        server.owner.delete_object(Bucket=MODELS, Key=name)
    give_models_a_bucket(here, server)
    here.caregrid("restore", str(tmp_path / "from_disk"), "--overwrite")
    assert landed(server, MODELS).items() >= {
        (name, sha256) for name, sha256 in before.items() if "stranger" not in name
    }
    uri, _, text = read_models(here)
    assert (uri.startswith(f"s3://{MODELS}/kept/1/"), text) == (True, "weights")


def test_a_model_store_that_fails_leaves_no_half_backup(
    here: Installation, server: Swift, tmp_path: Path
) -> None:
    give_models_a_bucket(here, server)
    here.settings["CAREGRID_ARTIFACTS"] = "s3://network-none"
    told = here.caregrid("backup", "--to", str(tmp_path / "kept"), code=2)
    assert "there is no bucket 'network-none'" in told
    assert "CAREGRID_ARTIFACTS" in told
    assert list(tmp_path.iterdir()) == []


def test_secrets_by_file_suffice_and_a_backup_under_another_key_is_refused(
    here: Installation, server: Swift, tmp_path: Path
) -> None:
    """As docker-compose.yaml gives them: the superuser's password in a file, keys that are only read."""
    give_models_a_bucket(here, server)
    given = tmp_path / "run-secrets"
    shutil.copytree(here.var / "secrets", given)
    dsns = json.loads((given / "database.json").read_text())
    (given / "postgres_password").write_text(urlsplit(dsns.pop("admin")).password or "")
    (given / "database.json").write_text(json.dumps(dsns))
    here.settings["CAREGRID_SECRETS"] = str(given)
    try:
        kept = tmp_path / "kept"
        here.caregrid("backup", "--to", str(kept))
        assert (kept / "secrets" / "keys.json").read_text() == (given / "keys.json").read_text()
        rows, models = here.rows(), landed(server, MODELS)
        here.caregrid("restore", str(kept), "--overwrite")
        assert contents.differences(here.rows(), rows) == []
        (given / "keys.json").write_text(json.dumps(accounts.new_keys()))
        told = here.caregrid("restore", str(kept), "--overwrite", code=2)
        assert "another key" in told
        assert str(kept / "secrets" / "keys.json") in told
        assert contents.differences(here.rows(), rows) == []
        assert landed(server, MODELS) == models
    finally:
        del here.settings["CAREGRID_SECRETS"]

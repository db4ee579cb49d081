"""Backup and restore with landed files in OpenStack Swift: emptied, damaged, moved to the disk and back."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from caregrid.simulate import simulate

from tests.integration.faults import contents
from tests.integration.faults.installation import Installation
from tests.integration.loading.servers import Swift, swift

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1800)]

BUCKET = "network-landing"
LOAD = "from tests.integration.faults import work; work.load()"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Swift]:
    with swift(tmp_path_factory.mktemp("backup") / "swift") as running:
        running.owner.create_bucket(Bucket=BUCKET)
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


def landed(server: Swift) -> dict[str, str]:
    """Return {name: sha256} of every object."""
    found = server.owner.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
    return {
        entry["Key"]: hashlib.sha256(
            server.owner.get_object(Bucket=BUCKET, Key=entry["Key"])["Body"].read()
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
        assert "not kept" not in told
    server.owner.put_object(Bucket=BUCKET, Key=key, Body=body)
    here.settings["CAREGRID_ARTIFACTS"] = "s3://mlflow"
    told = here.caregrid("backup", "--to", str(tmp_path / "models_elsewhere"))
    assert "not kept: the artifacts of MLflow in s3://mlflow" in told
    del here.settings["CAREGRID_ARTIFACTS"]


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

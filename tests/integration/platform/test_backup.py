"""Backup and restore, drilled: a server of its own, a backup while a load runs, an emptied var, and back.

The tests follow each other on one installation: each finds it as the one before left it.
"""

from __future__ import annotations

import json
import shutil
import stat
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import psycopg
import pytest
from caregrid.simulate import simulate

from tests.integration.faults import contents
from tests.integration.faults.installation import Installation

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1800)]

LOAD = "from tests.integration.faults import work; work.load()"
WAITING = """
select pid from pg_stat_activity
where datname = 'warehouse' and wait_event_type = 'Lock' and query ilike 'copy %canonical%usage%'
"""
# MLflow's own code makes its tables, a run, and an artifact of it.
TRACK = """
import sys, mlflow
from caregrid.database import connect
mlflow.set_tracking_uri(connect.sqlalchemy_url("mlflow"))
mlflow.create_experiment("drill", artifact_location=sys.argv[1] + "/1")
mlflow.set_experiment("drill")
with mlflow.start_run():
    mlflow.log_metric("wape", 0.25)
    mlflow.log_text("weights", "model.txt")
"""
READ_ARTIFACT = """
import mlflow
from caregrid.database import connect
mlflow.set_tracking_uri(connect.sqlalchemy_url("mlflow"))
(run,) = mlflow.search_runs(experiment_names=["drill"], output_format="list")
print(run.info.artifact_uri, mlflow.artifacts.load_text(run.info.artifact_uri + "/model.txt"))
"""


@pytest.fixture(scope="module")
def here(test_var: Path) -> Iterator[Installation]:
    made = Installation(test_var / "drill", {})
    simulate(made.var / "simulated", seed=3, facilities=4, days=14, start=date(2025, 11, 3))
    made.caregrid("database", "start")
    yield made
    if made.var.exists():
        made.delete()


def test_a_backup_taken_while_a_load_runs_is_whole_and_is_loaded_to_the_same_end(
    here: Installation, tmp_path: Path
) -> None:
    files = here.var / "simulated"
    kept_files = tmp_path / "simulated"
    shutil.copytree(files, kept_files)
    kept = tmp_path / "during"
    with here.connect() as holder, here.connect() as watcher, holder.transaction():
        # Readers pass; a load that comes to its COPY waits in the middle of its transaction.
        holder.execute("lock table canonical.usage in share mode")
        at_work = here.start("-c", LOAD)
        while not watcher.execute(WAITING).fetchone():
            assert at_work.poll() is None, "the load ended before its COPY"
            time.sleep(0.05)
        here.caregrid("backup", "--to", str(kept))
        assert at_work.poll() is None
    assert at_work.communicate()[0] is not None
    assert at_work.returncode == 0
    end = here.contents()
    here.delete()
    here.caregrid("restore", str(kept))
    with here.connect() as connection:
        then = connection.execute("select count(*) from raw.load").fetchone()
        named = {sha256 for (sha256,) in connection.execute("select distinct sha256 from landing.file")}
    assert {path.name for path in here.var.glob("landing/??/??/*")} == named
    assert set(contents.landed(here.var).items()) == {(name, name) for name in named}
    assert then is not None
    assert 0 < then[0] < len(end["raw.load"])
    # What had not been loaded at that moment is loaded now, and nothing is loaded twice.
    shutil.copytree(kept_files, files)
    here.run("-c", LOAD)
    assert contents.differences(here.contents(), end) == []


def test_every_row_and_file_of_all_three_comes_back(here: Installation, tmp_path: Path) -> None:
    here.run("-c", TRACK, (here.var / "mlflow" / "artifacts").as_uri())
    with here.connect("airflow") as connection:
        connection.execute("create table connection as select 'gAAAAA' as password")
    keys = here.run("-c", "from caregrid.platform import accounts; print(accounts.keys())")
    kept = tmp_path / "kept"
    told = here.caregrid("backup", "--to", str(kept))
    assert "1 artifacts of MLflow" in told
    rows, files = here.rows(), here.files()
    assert len(rows["mlflow: public.runs"]) == 1
    assert any(name.endswith("model.txt") for name in files)
    here.delete()
    here.caregrid("restore", str(kept))
    assert contents.differences(here.rows(), rows) == []
    assert here.files() == files
    assert here.run("-c", "from caregrid.platform import accounts; print(accounts.keys())") == keys
    assert here.run("-c", READ_ARTIFACT).strip().endswith("weights")
    # The roles have their rights again, and nobody else has.
    can = "from caregrid.database import connect; print(connect.connect('{}').execute('{}').fetchone())"
    assert "(1,)" in here.run("-c", can.format("bi_reader", "select 1"))
    assert "permission denied" in here.run("-c", can.format("bi_reader", "select from raw.load"), code=1)
    assert "(0,)" in here.run("-c", can.format("loader", "select count(*) from raw.load where false"))


def test_nobody_else_may_read_a_backup(here: Installation, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    here.caregrid("backup", "--to", str(kept))
    found = [kept, *kept.rglob("*")]
    assert kept / "secrets" / "keys.json" in found
    open_to_others = [path for path in found if stat.S_IMODE(path.stat().st_mode) & 0o077]
    assert open_to_others == []
    passwords = json.loads((here.var / "secrets" / "database.json").read_text())
    secret = psycopg.conninfo.conninfo_to_dict(passwords["loader"])["password"].encode()
    assert [path for path in found if path.is_file() and secret in path.read_bytes()] == []


def test_what_is_there_is_overwritten_only_when_told(here: Installation, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    here.caregrid("backup", "--to", str(kept))
    before = here.rows(), here.files()
    with here.connect() as connection:
        connection.execute("delete from landing.fetch")
    changed = here.rows()
    told = here.caregrid("restore", str(kept), code=2)
    assert "this would be lost: the database warehouse" in told
    assert "--overwrite" in told
    assert here.rows() == changed
    here.caregrid("restore", str(kept), "--overwrite")
    assert (here.rows(), here.files()) == before


@pytest.mark.parametrize("role", ["airflow", "mlflow", "loader"])
def test_nothing_is_restored_while_somebody_who_may_write_is_connected(
    here: Installation, tmp_path: Path, role: str
) -> None:
    kept = tmp_path / "kept"
    here.caregrid("backup", "--to", str(kept))
    before = here.rows(), here.files()
    dsn = json.loads((here.var / "secrets" / "database.json").read_text())[role]
    # As from a container: no process of this installation's own services.
    with psycopg.connect(dsn) as session:
        told = here.caregrid("restore", str(kept), "--overwrite", code=2)
        assert session.execute("select 1").fetchone() == (1,)
        login = session.info.user
    assert f"{login} from 127.0.0.1: 1" in told
    assert "docker compose stop" in told
    assert (here.rows(), here.files()) == before
    here.caregrid("restore", str(kept), "--overwrite")
    assert (here.rows(), here.files()) == before


def test_a_damaged_backup_is_refused_with_what_is_damaged(here: Installation, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    here.caregrid("backup", "--to", str(kept))
    before = here.rows(), here.files()
    landed = sorted(path for path in kept.glob("landing/??/??/*"))
    landed[0].write_bytes(landed[0].read_bytes()[:-1] + b"?")
    landed[1].unlink()
    with (kept / "mlflow.dump").open("ab") as stream:
        stream.write(b"more")
    told = here.caregrid("restore", str(kept), "--overwrite", code=2)
    assert "3 files of the backup are damaged" in told
    for what in (f"{landed[0].name} has other content", f"{landed[1].name} is missing", "mlflow.dump has"):
        assert what in told
    manifest = kept / "manifest.json"
    manifest.write_text(manifest.read_text().replace("landing/", "lending/", 1))
    assert "the manifest is damaged" in here.caregrid("restore", str(kept), "--overwrite", code=2)
    manifest.unlink()
    assert "this is no backup" in here.caregrid("restore", str(kept), "--overwrite", code=2)
    assert (here.rows(), here.files()) == before

"""Landing in OpenStack Swift by its S3 interface: the rows of a landing on disk, and nothing half there."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from caregrid import loading, paths
from caregrid.errors import CareGridError
from caregrid.landing import bucket as bucket_room
from caregrid.landing import retention, spool, store
from caregrid.loading.records import show
from caregrid.platform import servers

from tests.integration.faults import contents
from tests.integration.loading.servers import Line, Swift, swift

pytestmark = pytest.mark.integration

HEADER = "site,site_name,day,occupied,capacity\n"
PUT_LARGE = """
import resource, sys
from caregrid.landing import store
room, piece = store.room(), bytes(range(256)) * 4096
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
digest, size = store.keep(number.to_bytes(8, "big") + piece for number in range(int(sys.argv[1])))
with room.opened(digest) as path:
    assert path.stat().st_size == size
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024, size, digest)
"""
TASK = "import sys; from caregrid import loading; loading.accept(loading.ingest(sys.argv[1])['load_ids'])"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Swift]:
    with swift(tmp_path_factory.mktemp("landing") / "swift") as running:
        yield running


@pytest.fixture
def place(server: Swift, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """A bucket of this test's own, which landing is set to."""
    name = f"landing-{hashlib.sha256(request.node.name.encode()).hexdigest()[:12]}"
    server.owner.create_bucket(Bucket=name)
    login(monkeypatch, server.endpoint)
    monkeypatch.setenv("CAREGRID_LANDING", f"s3://{name}/net work/landed")
    return name


def login(monkeypatch: pytest.MonkeyPatch, endpoint: str, **changes: Any) -> None:
    given = {
        "conn_type": "aws", "login": "network:owner", "password": "owner-secret",
        "extra": {"endpoint_url": endpoint}, **changes,
    }  # fmt: skip
    monkeypatch.setenv("AIRFLOW_CONN_CAREGRID_LANDING", json.dumps(given))


def objects(server: Swift, place: str) -> dict[str, int]:
    """Return {name: size} of everything in a bucket."""
    pages = server.owner.get_paginator("list_objects_v2").paginate(Bucket=place)
    return {entry["Key"]: entry["Size"] for page in pages for entry in page.get("Contents", ())}


def key(sha256: str) -> str:
    return f"net work/landed/{sha256[:2]}/{sha256[2:4]}/{sha256}"


def named(publisher: Any) -> set[str]:
    return {sha256 for (sha256,) in publisher.query("select sha256 from landing.file")}


def publish(publisher: Any) -> None:
    """Write a file of each kind of trouble: plain, in an archive, corrected, and one that is a web page."""
    publisher.publish("2025-03-02", ["A,Alpha,2025-03-01,10,20", "B,,2025-03-01,-1,20", "A,,2025-03-01,9,9"])
    with zipfile.ZipFile(publisher.base / "beds_2025-03-03.zip", "w") as archive:
        archive.writestr("beds_2025-03-03.csv", HEADER + "A,Alpha,2025-03-02,11,20\nC,,2025-03-02,4,4\n")
    publisher.publish("2025-03-04", ["A,Alpha,2025-03-02,12,20"])
    (publisher.base / "beds_2025-03-05.csv").write_text("<!doctype html><p>Sign in</p>")


def work(publisher: Any) -> tuple[Any, Any, Any]:
    """Ingest, load, replay under another mapping, show; return what came of it."""
    publisher.write_feed(path="beds_*.*")
    with pytest.raises(loading.IngestFailedError):
        publisher.ingest()
    accept_all(publisher)
    publisher.write_feed(path="beds_*.*", capacity="[beds, capacity]")
    again = loading.replay(publisher.feed)
    accept_all(publisher)
    ((load_id,),) = publisher.query(
        "select max(load_id) from raw.load join landing.file using (file_id) where uri like '%%03-02.csv'"
    )
    shown = show(load_id, 3)
    with publisher.warehouse.connect("owner") as connection:
        rows = contents.read(connection)
        connection.rollback()
    told = (shown["file"], shown["status"], shown["record"], shown["fates"], shown["rejects"])
    return rows, (again["files"], len(again["replaced"]), again["unreadable"]), told


def accept_all(publisher: Any) -> None:
    staged = publisher.query("select load_id from raw.load where status = 'staged' order by load_id")
    loading.accept([load_id for (load_id,) in staged])


def test_every_row_is_that_of_a_landing_on_the_disk(
    publisher: Any, server: Swift, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(publisher)
    in_the_bucket = work(publisher)
    assert len(in_the_bucket[0]["raw.load"]) == 6
    digests = named(publisher)
    assert set(objects(server, place)) == {key(sha256) for sha256 in digests}
    for sha256 in digests:
        body = server.owner.get_object(Bucket=place, Key=key(sha256))["Body"].read()
        assert hashlib.sha256(body).hexdigest() == sha256
    assert list(paths.var("landing").glob("??/??/*")) == []
    with publisher.warehouse.connect("owner") as connection:
        connection.execute("truncate landing.file, landing.fetch, canonical.place cascade")
        connection.execute("truncate canonical.usage")
    monkeypatch.delenv("CAREGRID_LANDING")
    on_the_disk = work(publisher)
    assert {path.name for path in paths.var("landing").glob("??/??/*")} == digests
    assert contents.differences(in_the_bucket[0], on_the_disk[0]) == []
    assert in_the_bucket[1:] == on_the_disk[1:]


def test_what_is_landed_is_read_without_a_local_copy_and_none_stays_above_the_limit(
    publisher: Any, server: Swift, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CAREGRID_LANDING_SPOOL_BYTES", "0")
    publisher.publish("2025-03-02", ["A,Alpha,2025-03-01,10,20"])
    (load_id,) = publisher.load()
    assert list(paths.var("landing", "spool").iterdir()) == []
    assert list(paths.var("landing", "incoming").iterdir()) == []
    assert show(load_id, 2)["record"]["occupied"] == "10"
    (sha256,) = named(publisher)
    monkeypatch.setenv("CAREGRID_LANDING_SPOOL_BYTES", "1000000")
    room = store.room()
    with room.opened(sha256) as path:
        spool.trim(0)
        assert path.is_file(), "somebody reads it"
        with room.opened(sha256) as again:
            assert again == path
    assert path.is_file()
    path.chmod(0o640)
    path.write_bytes(b"a disk that lies")
    with room.opened(sha256) as mended:
        assert hashlib.sha256(mended.read_bytes()).hexdigest() == sha256
    spool.trim(0)
    assert not path.exists()


def test_a_file_larger_than_one_request_goes_and_comes_in_parts_with_bounded_memory(
    publisher: Any, server: Swift, place: str
) -> None:
    mebibytes = 256
    done = subprocess.run(
        [sys.executable, "-c", PUT_LARGE, str(mebibytes)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    grown, size, sha256 = done.stdout.split()
    assert objects(server, place)[key(sha256)] == int(size) == mebibytes * (2**20 + 8)
    assert int(grown) < 6 * bucket_room.PART_BYTES
    assert store.room().drop_unfinished(retention.clock.now() + timedelta(minutes=1)) == 0


def test_content_is_never_replaced_and_is_proved_when_it_is_read(
    publisher: Any, server: Swift, place: str
) -> None:
    publisher.publish("2025-03-02", ["A,Alpha,2025-03-01,10,20"])
    (load_id,) = publisher.load()
    (sha256,) = named(publisher)
    spool.trim(0)
    whole = server.owner.get_object(Bucket=place, Key=key(sha256))["Body"].read()
    server.owner.put_object(Bucket=place, Key=key(sha256), Body=whole[:-1] + b"?")
    with pytest.raises(store.DamagedError, match=r"beds_2025-03-02\.csv\) are damaged") as told:
        show(load_id, 2)
    assert f"s3://{place}/net work/landed/" in told.value.where
    assert list(paths.var("landing", "spool").iterdir()) == []
    # The door does not write over it; a restore does, and only where it has to.
    room = store.room()
    good = paths.var("good")
    good.write_bytes(whole)
    room.take(good, sha256, len(whole))
    assert server.owner.get_object(Bucket=place, Key=key(sha256))["Body"].read() != whole
    room.mend(good, sha256, len(whole))
    assert server.owner.get_object(Bucket=place, Key=key(sha256))["Body"].read() == whole
    server.owner.put_object(Bucket=place, Key=key(sha256), Body=b"short")
    with pytest.raises(store.DamagedError):
        room.take(good, sha256, len(whole))
    assert objects(server, place)[key(sha256)] == len(b"short")
    server.owner.delete_object(Bucket=place, Key=key(sha256))
    spool.trim(0)
    with pytest.raises(store.GoneError, match="are gone"):
        show(load_id, 2)
    # The publisher still has it.
    assert publisher.ingest()["files_unchanged"] == 1
    assert show(load_id, 2)["record"]["occupied"] == "10"


@pytest.mark.parametrize("point", ["bucket:mid_upload", "bucket:sent", "landing:before_manifest"])
def test_a_killed_upload_leaves_nothing_half_landed_and_is_swept(
    publisher: Any, server: Swift, place: str, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    rows = (f"IGNORED,,2025-03-01,{number},{number % 977}" for number in range(900_000))
    file = publisher.publish("2025-03-02", ["A,Alpha,2025-03-01,10,20", *rows])
    assert file.stat().st_size > bucket_room.PART_BYTES
    sha256 = store.digest(file)
    killed = subprocess.run(
        [sys.executable, "-c", TASK, str(publisher.feed)],
        env={**os.environ, "CAREGRID_FAULT": point},
        check=False,
    )
    assert killed.returncode == -9
    assert publisher.counts()["landing.file"] == 0
    whole = {} if point == "bucket:mid_upload" else {key(sha256): file.stat().st_size}
    assert objects(server, place) == whole
    monkeypatch.setattr(retention, "_DEAD_AFTER", timedelta(minutes=-1))
    swept = retention.sweep()
    assert (swept["unfinished"], swept["unnamed"]) == ((1, 0) if not whole else (0, 1))
    assert objects(server, place) == {}
    assert retention.sweep()["unfinished"] == 0
    publisher.load()
    assert set(objects(server, place)) == {key(sha256)}
    assert publisher.counts()["canonical.usage"] == 2
    retention.sweep()
    assert set(objects(server, place)) == {key(sha256)}, "a row names it"


def test_an_upload_that_breaks_off_is_aborted(
    publisher: Any, server: Swift, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask, asked = bucket_room.Bucket._conditionally, []

    def broken(self: Any, operation: str, **given: Any) -> None:
        asked.append(operation)
        raise OSError("the disk is gone")

    monkeypatch.setattr(bucket_room.Bucket, "_conditionally", broken)
    with pytest.raises(OSError, match="disk is gone"):
        store.keep([b"\0" * (bucket_room.PART_BYTES + 1)])
    assert asked == ["complete_multipart_upload"]
    monkeypatch.setattr(bucket_room.Bucket, "_conditionally", ask)
    assert store.room().drop_unfinished(retention.clock.now() + timedelta(minutes=1)) == 0
    assert objects(server, place) == {}


def test_what_is_wrong_with_the_place_is_said_and_no_secret_is(
    publisher: Any, server: Swift, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    publisher.publish("2025-03-02", ["A,Alpha,2025-03-01,10,20"])

    def refused(match: str) -> None:
        with pytest.raises(loading.IngestFailedError, match=match) as told:
            publisher.ingest()
        assert "-secret" not in str(told.value)

    with monkeypatch.context() as patch:
        patch.setenv("CAREGRID_LANDING", "s3://no-such-bucket/landed")
        refused("there is no bucket 'no-such-bucket'")
    login(monkeypatch, server.endpoint, password="wrong-secret")
    refused("refuses the login of 'caregrid_landing'")
    login(monkeypatch, server.endpoint, login="network:reader", password="reader-secret")
    refused("refuses the login of 'caregrid_landing'")
    login(monkeypatch, "http://127.0.0.1:9")
    refused("the object store does not answer")
    monkeypatch.delenv("AIRFLOW_CONN_CAREGRID_LANDING")
    refused(r"no connection 'caregrid_landing'.*AIRFLOW_CONN_CAREGRID_LANDING")
    monkeypatch.setenv("CAREGRID_LANDING", f"s3://user:some-secret@{place}/landed")
    refused("no address of a bucket")
    monkeypatch.setenv("CAREGRID_LANDING", "ftp://user:some-secret@host/landed")
    refused("'ftp' is no place for landed files")
    assert publisher.counts()["landing.file"] == 0
    noted = " ".join(message for (message,) in publisher.query("select message from landing.fetch"))
    assert "there is no bucket" in noted
    assert "-secret" not in noted
    login(monkeypatch, server.endpoint)
    monkeypatch.setenv("CAREGRID_LANDING", f"s3://caregrid_landing@{place}")
    assert publisher.ingest()["files_landed"] == 1
    assert [name.count("/") for name in objects(server, place)] == [2]


def test_a_line_that_breaks_while_it_is_read_is_tried_again_and_then_said(
    publisher: Any, server: Swift, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sha256, size = store.keep([os.urandom(2**20) for _ in range(4)])
    spool.trim(0)
    line = Line(server.port, cut_after=2_000_000)
    login(monkeypatch, f"http://127.0.0.1:{line.port}")
    try:
        with (
            pytest.raises(CareGridError, match="the object store does not answer"),
            store.room().opened(sha256),
        ):
            pass
    finally:
        line.close()
    assert list(paths.var("landing", "spool").iterdir()) == []
    assert list(paths.var("landing", "incoming").iterdir()) == []
    login(monkeypatch, server.endpoint)
    with store.room().opened(sha256) as path:
        assert path.stat().st_size == size


def test_the_object_store_of_the_installation_serves_with_its_own_secrets(
    publisher: Any, server: Swift, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "run-secrets"
    folder.mkdir()
    monkeypatch.setenv("CAREGRID_SECRETS", str(folder))
    monkeypatch.setenv("CAREGRID_OBJECT_STORE", server.endpoint)
    monkeypatch.setenv("CAREGRID_LANDING", "s3://own-landing")
    publisher.publish("2025-03-02", ["A,Alpha,2025-03-01,10,20"])
    with pytest.raises(loading.IngestFailedError, match="keys of the object store cannot be read"):
        publisher.ingest()
    (folder / "object_store_user").write_text("network:owner\n")
    (folder / "object_store_password").write_text("owner-secret\n")
    assert servers._buckets() == ["bucket own-landing made"]
    assert servers._buckets() == ["bucket own-landing is there"]
    assert publisher.ingest()["files_landed"] == 1
    assert len(objects(server, "own-landing")) == 1

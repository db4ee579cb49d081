"""Fetching from OpenStack Swift through its S3 interface: ETags, odd keys, a broken transfer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
from caregrid import loading
from caregrid.feeds import load_feed
from caregrid.landing import store
from caregrid.landing.addresses import addresses

from tests.integration.loading.servers import Line, Swift, nothing_half_landed, swift

pytestmark = pytest.mark.integration

HEADER = "site,site_name,day,occupied,capacity\n"
OLD = HEADER + "A,,2025-03-01,10,20\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Swift]:
    with swift(tmp_path_factory.mktemp("s3") / "swift") as running:
        yield running


@pytest.fixture
def bucket(server: Swift, request: pytest.FixtureRequest) -> str:
    """A bucket of this test's own, with the files of two days."""
    name = f"exports-{abs(hash(request.node.name)) % 10**9}"
    server.owner.create_bucket(Bucket=name)
    put(server, name, "beds/beds_2025-03-01.csv", OLD)
    put(server, name, "beds/beds_2025-03-02.csv", HEADER + "A,,2025-03-02,11,20\n")
    return name


def put(server: Swift, bucket: str, key: str, text: str) -> None:
    server.owner.put_object(Bucket=bucket, Key=key, Body=text.encode())


def connect(monkeypatch: pytest.MonkeyPatch, endpoint: str, **changes: Any) -> None:
    given = {
        "conn_type": "aws", "login": "network:owner", "password": "owner-secret",
        "extra": {"endpoint_url": endpoint}, **changes,
    }  # fmt: skip
    monkeypatch.setenv("AIRFLOW_CONN_NORTH_S3", json.dumps(given))


def serve(publisher: Any, bucket: str, pattern: str) -> None:
    publisher.write_feed(path="none_*.csv", url=f'"s3://{bucket}/{pattern}"\n    connection: north_s3')


@pytest.fixture
def north(publisher: Any, server: Swift, bucket: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    connect(monkeypatch, server.endpoint)
    serve(publisher, bucket, "beds/beds_*.csv")
    return publisher


def outcomes(publisher: Any) -> list[tuple[str, str]]:
    return [
        (uri.rpartition("/")[2], outcome)
        for uri, outcome in publisher.query("select uri, outcome from landing.fetch order by fetch_id")
    ]


def test_objects_are_landed_and_what_is_unchanged_is_not_fetched(
    north: Any, server: Swift, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    summary = north.ingest()
    assert (summary["files_landed"], summary["records_received"]) == (2, 2)
    with monkeypatch.context() as patch:
        patch.setattr(store, "keep", None)  # nothing may arrive
        assert north.ingest()["files_unchanged"] == 2
    put(server, bucket, "beds/beds_2025-03-01.csv", OLD.replace("10", "12"))
    assert north.ingest()["files_landed"] == 1
    put(server, bucket, "beds/beds_2025-03-01.csv", OLD)
    assert (north.ingest()["files_landed"], north.ingest()["files_unchanged"]) == (1, 2)
    assert outcomes(north)[-4:] == [
        ("beds_2025-03-01.csv", "new"),
        ("beds_2025-03-02.csv", "unchanged"),
        ("beds_2025-03-01.csv", "unchanged"),
        ("beds_2025-03-02.csv", "unchanged"),
    ]


def test_one_object_is_asked_for_by_its_tag(
    north: Any, server: Swift, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve(north, bucket, "beds/beds_2025-03-01.csv")
    assert north.ingest()["files_landed"] == 1
    with monkeypatch.context() as patch:
        patch.setattr(store, "keep", None)
        assert north.ingest()["files_unchanged"] == 1
    serve(north, bucket, "beds/beds_2025-03-09.csv")
    with pytest.raises(loading.IngestFailedError, match="404"):
        north.ingest()
    assert outcomes(north) == [
        ("beds_2025-03-01.csv", "new"), ("beds_2025-03-01.csv", "unchanged"),
        ("beds_2025-03-09.csv", "missing"),
    ]  # fmt: skip


def test_one_past_day_is_fetched_by_its_name(north: Any, bucket: str) -> None:
    serve(north, bucket, "beds/beds_{date:%Y-%m-%d}.csv")
    assert north.ingest(day=date(2025, 3, 1))["files_landed"] == 1
    assert outcomes(north) == [("beds_2025-03-01.csv", "new")]
    assert north.ingest()["files_landed"] == 1


def test_keys_that_lead_elsewhere_are_not_taken(north: Any, server: Swift, bucket: str) -> None:
    for key in ("beds/../beds_2025-03-03.csv", "../beds_2025-03-03.csv", "beds//beds_2025-03-03.csv",
                "beds/beds_2025-03-03.csv/", "beds/deep/beds_2025-03-03.csv"):  # fmt: skip
        put(server, bucket, key, OLD)
    assert north.ingest()["files_landed"] == 2
    serve(north, bucket, "*/*/beds_*.csv")
    assert north.ingest()["files_landed"] == 1
    assert outcomes(north)[-1] == ("beds_2025-03-03.csv", "new")
    assert north.query("select uri from landing.file order by file_id desc limit 1") == [
        (f"s3://{bucket}/beds/deep/beds_2025-03-03.csv",)
    ]


def test_a_listing_of_several_pages_is_read_to_its_end(north: Any, server: Swift, bucket: str) -> None:
    for number in range(120):
        put(server, bucket, f"many/{number:05}.csv", "")
    put(server, bucket, "many/été [1] #%.csv", "")
    serve(north, bucket, "many/*.csv")
    feed = load_feed(north.feed)
    found = addresses(feed, feed.sources["beds"])
    assert len(found) == 121
    assert found[-1].uri.endswith("/many/00119.csv")
    assert found[0].uri.endswith("/many/%C3%A9t%C3%A9%20%5B1%5D%20%23%25.csv")


def test_credentials(north: Any, server: Swift, monkeypatch: pytest.MonkeyPatch) -> None:
    connect(monkeypatch, server.endpoint, password="wrong-secret")
    with pytest.raises(
        loading.IngestFailedError, match=r"cannot be listed: 403 SignatureDoesNotMatch"
    ) as refused:
        north.ingest()
    assert "wrong-secret" not in str(refused.value)
    connect(monkeypatch, server.endpoint, login="network:reader", password="reader-secret")
    with pytest.raises(loading.IngestFailedError, match="403 AccessDenied"):
        north.ingest()
    # The keys of whoever runs this are no substitute.
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "network:owner")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "owner-secret")
    connect(monkeypatch, server.endpoint, login="", password="")
    with pytest.raises(loading.IngestFailedError, match="has no keys"):
        north.ingest()
    connect(monkeypatch, server.endpoint, extra={"endpoint_url": server.endpoint, "verify": False})
    with pytest.raises(loading.IngestFailedError, match="certificates are verified, always"):
        north.ingest()
    monkeypatch.delenv("AIRFLOW_CONN_NORTH_S3")
    with pytest.raises(loading.IngestFailedError, match=r"no connection 'north_s3'.*AIRFLOW_CONN_NORTH_S3"):
        north.ingest()
    assert {outcome for _, outcome in outcomes(north)} == {"failed"}


def test_a_bucket_that_is_not_there_and_nothing_that_matches(
    north: Any, server: Swift, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve(north, "no-such-bucket", "beds/*.csv")
    with pytest.raises(loading.IngestFailedError, match="404 NoSuchBucket"):
        north.ingest()
    serve(north, bucket, "beds/none_*.csv")
    with pytest.raises(loading.IngestFailedError, match="there is no file at s3://"):
        north.ingest()
    connect(monkeypatch, "http://127.0.0.1:9")
    with pytest.raises(loading.IngestFailedError, match="EndpointConnectionError"):
        north.ingest()


def test_more_than_the_limit_is_not_taken(north: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAREGRID_FETCH_LIMIT_BYTES", "20")
    with pytest.raises(loading.IngestFailedError, match="limit of 20"):
        north.ingest()
    assert nothing_half_landed(north)


def test_a_transfer_that_breaks_off_lands_nothing_and_the_retry_lands_all(
    north: Any, server: Swift, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    big = HEADER + "".join(f"IGNORED,,2025-03-02,{number},20\n" for number in range(100_000))
    put(server, bucket, "beds/beds_2025-03-02.csv", big)
    line = Line(server.port, cut_after=1_000_000)
    connect(monkeypatch, f"http://127.0.0.1:{line.port}")
    try:
        with pytest.raises(loading.IngestFailedError, match="the transfer broke off") as broken:
            north.ingest()
    finally:
        line.close()
    assert broken.value.summary["files_landed"] == 1
    assert nothing_half_landed(north)
    connect(monkeypatch, server.endpoint)
    assert north.ingest()["files_landed"] == 1
    assert north.query("select max(byte_size) from landing.file") == [(len(big),)]
    assert nothing_half_landed(north)

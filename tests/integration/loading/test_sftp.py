"""Fetching from OpenSSH's own sshd: host keys, links, unchanged files, thousands, a broken transfer."""

from __future__ import annotations

import json
import logging
import os
import pwd
import subprocess
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from caregrid import loading
from caregrid.feeds import load_feed
from caregrid.landing import disk, store
from caregrid.landing.addresses import addresses

from tests.integration.loading.servers import Line, Sshd, key_pair, nothing_half_landed, sshd, stop

pytestmark = pytest.mark.integration

HEADER = "site,site_name,day,occupied,capacity\n"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Sshd]:
    with sshd(tmp_path / "server") as running:
        yield running


def connect(monkeypatch: pytest.MonkeyPatch, server: Sshd, port: int | None = None, **changes: Any) -> None:
    """Set the connection north_sftp, as the environment gives it; extra=None leaves a key of it out."""
    extra = {"key_file": str(server.client_key), "host_key": server.host_key, **changes.pop("extra", {})}
    given = {
        "conn_type": "sftp", "host": "127.0.0.1", "port": port or server.port,
        "login": pwd.getpwuid(os.geteuid()).pw_name,
        "extra": {key: value for key, value in extra.items() if value is not None}, **changes,
    }  # fmt: skip
    monkeypatch.setenv("AIRFLOW_CONN_NORTH_SFTP", json.dumps(given))


@pytest.fixture
def north(publisher: Any, server: Sshd, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The publisher with its files on the server."""
    connect(monkeypatch, server)
    serve(publisher, server.files)
    write(server, "2025-03-01", "A,,2025-03-01,10,20\n")
    write(server, "2025-03-02", "A,,2025-03-02,11,20\n")
    return publisher


def serve(
    publisher: Any, directory: Path, pattern: str = "beds_*.csv", connection: str = "north_sftp"
) -> None:
    publisher.write_feed(
        path="none_*.csv", url=f'"sftp://127.0.0.1{directory}/{pattern}"\n    connection: {connection}'
    )


def write(server: Sshd, day: str, records: str) -> Path:
    path = server.files / f"beds_{day}.csv"
    path.write_text(HEADER + records)
    return path


def outcomes(publisher: Any) -> list[tuple[str, str]]:
    return [
        (uri.rpartition("/")[2], outcome)
        for uri, outcome in publisher.query("select uri, outcome from landing.fetch order by fetch_id")
    ]


def test_files_are_landed_and_what_is_unchanged_is_not_read_again(north: Any, server: Sshd) -> None:
    summary = north.ingest()
    assert (summary["files_landed"], summary["records_received"]) == (2, 2)
    assert north.query("select distinct published_at::date::text from landing.file order by 1") == [
        ("2025-03-01",), ("2025-03-02",)
    ]  # fmt: skip
    first = server.files / "beds_2025-03-01.csv"
    status = first.stat()
    # Size and time as before, and the server would refuse to read it: it is not asked to.
    first.unlink()
    first.mkdir()
    first.rmdir()
    first.write_text(HEADER + "A,,2025-03-01,99,20\n")
    os.utime(first, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert north.ingest()["files_unchanged"] == 2
    first.write_text(HEADER + "A,,2025-03-01,99,20\nB,,2025-03-01,1,2\n")
    summary = north.ingest()
    assert (summary["files_landed"], summary["files_unchanged"]) == (1, 1)
    assert outcomes(north)[-2:] == [("beds_2025-03-01.csv", "new"), ("beds_2025-03-02.csv", "unchanged")]


def test_a_new_time_without_new_content_is_read_once(north: Any, server: Sshd) -> None:
    north.ingest()
    file = server.files / "beds_2025-03-02.csv"
    os.utime(file, (1_700_000_000, 1_700_000_000))
    assert north.ingest()["files_unchanged"] == 2
    assert north.query("select etag from landing.file where uri like '%%03-02.csv'")[0][0].endswith(
        "1700000000"
    )


def test_one_past_day_is_fetched_by_its_name(publisher: Any, north: Any, server: Sshd) -> None:
    serve(publisher, server.files, "beds_{date:%Y-%m-%d}.csv")
    assert north.ingest(day=date(2025, 3, 1))["files_landed"] == 1
    assert outcomes(north) == [("beds_2025-03-01.csv", "new")]
    assert north.ingest()["files_landed"] == 1


@pytest.mark.parametrize("trusted_by", ["extra", "file"])
def test_another_host_key_is_refused(
    north: Any, server: Sshd, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, trusted_by: str
) -> None:
    other = key_pair(tmp_path / "other")
    known = tmp_path / "known_hosts"
    known.write_text(f"[127.0.0.1]:{server.port} {other}\n")
    monkeypatch.setenv("CAREGRID_KNOWN_HOSTS", str(known))
    connect(monkeypatch, server, extra={"host_key": other if trusted_by == "extra" else None})
    with pytest.raises(loading.IngestFailedError, match=r"another host key.*someone may stand between"):
        north.ingest()
    assert north.query("select count(*) from landing.file") == [(0,)]
    assert "Accepted" not in (server.home / "sshd.log").read_text()


def test_an_unknown_host_is_refused_and_the_message_makes_it_known(
    north: Any, server: Sshd, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    known = tmp_path / "known_hosts"
    monkeypatch.setenv("CAREGRID_KNOWN_HOSTS", str(known))
    connect(monkeypatch, server, extra={"host_key": None})
    with pytest.raises(loading.IngestFailedError) as refused:
        north.ingest()
    told = str(refused.value)
    fingerprint = subprocess.run(
        ["ssh-keygen", "-l", "-f", server.home / "host_key.pub"], capture_output=True, text=True, check=True
    ).stdout.split()[1]
    assert fingerprint in told
    assert "Accepted" not in (server.home / "sshd.log").read_text()
    # What the message says to do is done, word for word.
    command = told.split("`")[1]
    assert command == f"ssh-keyscan -p {server.port} 127.0.0.1"
    assert told.split("prints to ")[1].startswith(str(known))
    scanned = subprocess.run(command.split(), capture_output=True, text=True, check=True).stdout
    known.write_text(scanned)
    assert north.ingest()["files_landed"] == 2


@pytest.mark.parametrize("asked", [True, "true", False])
def test_the_check_of_host_keys_cannot_be_switched_off(
    north: Any, server: Sshd, monkeypatch: pytest.MonkeyPatch, asked: Any
) -> None:
    connect(monkeypatch, server, extra={"no_host_key_check": asked})
    with pytest.raises(loading.IngestFailedError, match="host keys are verified, always"):
        north.ingest()


def test_refused_and_missing_credentials(
    north: Any, server: Sshd, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    key_pair(tmp_path / "stranger")
    connect(monkeypatch, server, extra={"key_file": str(tmp_path / "stranger")})
    with pytest.raises(loading.IngestFailedError, match="refuses the login"):
        north.ingest()
    connect(monkeypatch, server, extra={"key_file": str(tmp_path / "nowhere")})
    with pytest.raises(loading.IngestFailedError, match=r"private key .* cannot be read"):
        north.ingest()
    monkeypatch.delenv("AIRFLOW_CONN_NORTH_SFTP")
    with pytest.raises(
        loading.IngestFailedError, match=r"no connection 'north_sftp'.*AIRFLOW_CONN_NORTH_SFTP"
    ):
        north.ingest()
    monkeypatch.setenv("AIRFLOW_CONN_NORTH_SFTP", '{"password": "hunter2",')
    with pytest.raises(loading.IngestFailedError, match="cannot be read") as broken:
        north.ingest()
    assert "hunter2" not in str(broken.value)
    connect(monkeypatch, server, host="elsewhere.example")
    with pytest.raises(loading.IngestFailedError, match="credentials are sent to no other"):
        north.ingest()
    assert {outcome for _, outcome in outcomes(north)} == {"failed"}
    assert nothing_half_landed(north)


def test_no_secret_is_written_anywhere(
    north: Any, server: Sshd, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, capfd: Any
) -> None:
    caplog.set_level(logging.DEBUG)
    secret = server.client_key.read_text()
    connect(monkeypatch, server, extra={"key_file": None, "private_key": secret})
    assert north.ingest()["files_landed"] == 2
    connect(monkeypatch, server, password="wrong-horse-battery", extra={"key_file": None})
    with pytest.raises(loading.IngestFailedError, match="refuses the login") as refused:
        north.ingest()
    connect(monkeypatch, server, extra={"key_file": None, "private_key": secret.replace("\n", " ")})
    with pytest.raises(loading.IngestFailedError, match="private key") as unreadable:
        north.ingest()
    noted = north.query("select * from landing.fetch")
    said = f"{caplog.text}{capfd.readouterr()}{refused.value}{unreadable.value}{noted}"
    assert "paramiko" in caplog.text
    assert "wrong-horse-battery" not in said
    assert not [line for line in secret.splitlines()[1:-1] if line in said]


def test_a_link_that_leads_outside_is_refused_and_one_that_stays_is_followed(
    north: Any, server: Sshd
) -> None:
    outside = server.home / "secret.csv"
    outside.write_text(HEADER + "X,,2025-03-03,1,2\n")
    (server.files / "beds_2025-03-03.csv").symlink_to(outside)
    (server.files / "beds_2025-03-04.csv").symlink_to("beds_2025-03-01.csv")
    (server.files / "beds_2025-03-05.csv").symlink_to("/dev/zero")
    (server.files / "beds_2025-03-06.csv").symlink_to("nothing")
    os.mkfifo(server.files / "beds_2025-03-07.csv")
    with pytest.raises(loading.IngestFailedError) as refused:
        north.ingest()
    assert refused.value.summary["files_landed"] == 3
    failures = refused.value.summary["failures"]
    assert len(failures) == 3
    assert f"leads to {outside}, which is outside {server.files}" in failures[0]
    assert "/dev/zero, which is outside" in failures[1]
    assert ("beds_2025-03-04.csv", "new") in outcomes(north)
    assert ("beds_2025-03-07.csv", "new") not in outcomes(north)
    assert not [uri for uri, _ in outcomes(north) if uri == "secret.csv"]


def test_a_linked_directory_that_leads_outside_is_refused_and_one_that_stays_is_walked(
    publisher: Any, north: Any, server: Sshd
) -> None:
    (server.home / "private").mkdir()
    (server.home / "private" / "beds_2025-03-09.csv").write_text(HEADER)
    (server.files / "north" / "archive").mkdir(parents=True)
    (server.files / "north" / "beds_2025-03-08.csv").write_text(HEADER + "A,,2025-03-08,10,20\n")
    (server.files / "north" / "archive" / "beds_2025-03-07.csv").write_text(HEADER + "A,,2025-03-07,10,20\n")
    (server.files / "south").symlink_to(server.home / "private")
    (server.files / "gone").symlink_to("nothing")
    (server.files / "file").symlink_to("beds_2025-03-01.csv")
    (server.files / "older").symlink_to("north/archive")
    (server.files / "round").symlink_to(".")
    serve(publisher, server.files, "*/beds_*.csv")
    with pytest.raises(loading.IngestFailedError) as refused:
        publisher.ingest()
    taken = {uri for uri, outcome in outcomes(north) if outcome == "new"}
    # Through `round` the files beside it are found as well.
    assert taken == {f"beds_2025-03-0{day}.csv" for day in (1, 2, 7, 8)}
    gone, outside = sorted(refused.value.summary["failures"])
    assert "/gone: the file is gone" in gone
    assert f"leads to {server.home / 'private'}, which is outside {server.files}" in outside


def test_thousands_of_files_are_listed_and_the_day_is_found(publisher: Any, north: Any, server: Sshd) -> None:
    for number in range(5_000):
        (server.files / f"other_{number:05}.csv").touch()
    (server.files / "beds_été [1] #%.csv").write_text(HEADER + "Z,,2025-03-02,11,20\n")
    serve(publisher, server.files, "*_2025-03-0?.csv")
    assert north.ingest()["files_landed"] == 2
    serve(publisher, server.files, "*.csv")
    feed = load_feed(publisher.feed)
    found = addresses(feed, feed.sources["beds"])
    assert len(found) == 5_003
    names = [unquote(one.uri) for one in found]
    assert names == sorted(names)
    serve(publisher, server.files, "beds_[!0-9]*.csv")
    with pytest.raises(loading.IngestFailedError, match="1 of the files") as failed:  # no date in the name
        publisher.ingest()
    assert "beds_été [1] #%.csv" in str(failed.value)
    assert outcomes(north)[-1] == ("beds_%C3%A9t%C3%A9%20%5B1%5D%20%23%25.csv", "new")


def test_a_name_that_is_no_text_is_told(north: Any, server: Sshd) -> None:
    Path(os.fsdecode(os.fsencode(server.files) + b"/beds_\xff.csv")).write_text(HEADER)
    with pytest.raises(loading.IngestFailedError, match="is not UTF-8"):
        north.ingest()


def test_nothing_there_is_missing(publisher: Any, north: Any, server: Sshd) -> None:
    serve(publisher, server.home / "no" / "such")
    with pytest.raises(loading.IngestFailedError, match="there is no file at sftp://"):
        north.ingest()
    assert outcomes(north) == [("beds_*.csv", "missing")]


def test_more_than_the_limit_is_not_taken(north: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAREGRID_FETCH_LIMIT_BYTES", "20")
    with pytest.raises(loading.IngestFailedError, match="limit of 20"):
        north.ingest()
    assert nothing_half_landed(north)


def test_a_transfer_that_breaks_off_lands_nothing_and_the_retry_lands_all(
    north: Any, server: Sshd, monkeypatch: pytest.MonkeyPatch
) -> None:
    big = "".join(f"IGNORED,,2025-03-02,{number},20\n" for number in range(100_000))
    file = write(server, "2025-03-02", big)
    line = Line(server.port, cut_after=1_000_000)
    connect(monkeypatch, server, port=line.port)
    try:
        with pytest.raises(loading.IngestFailedError, match="the transfer broke off") as broken:
            north.ingest()
    finally:
        line.close()
    # The small file before it came whole.
    assert broken.value.summary["files_landed"] == 1
    assert nothing_half_landed(north)
    connect(monkeypatch, server)
    assert north.ingest()["files_landed"] == 1
    assert disk.path_of(store.digest(file)).read_bytes() == file.read_bytes()


def test_a_lost_connection_is_made_anew_for_the_next_file(
    north: Any, server: Sshd, monkeypatch: pytest.MonkeyPatch
) -> None:
    big = "".join(f"IGNORED,,2025-03-01,{number},20\n" for number in range(100_000))
    write(server, "2025-03-01", big)
    line = Line(server.port, cut_after=1_000_000)
    connect(monkeypatch, server, port=line.port)
    try:
        with pytest.raises(loading.IngestFailedError, match="1 of the files") as broken:
            north.ingest()
    finally:
        line.close()
    assert broken.value.summary["files_landed"] == 1
    assert "beds_2025-03-01.csv" in broken.value.summary["failures"][0]


def test_a_file_that_grows_while_it_is_read_is_not_landed(
    north: Any, server: Sshd, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write(server, "2025-03-02", "A,,2025-03-02,11,20\n")
    keep = store.keep

    def slowly(pieces: Any, limit: int | None = None) -> Any:
        """After each piece that is taken the publisher writes on, and never stops."""

        def taken() -> Iterator[bytes]:
            for piece in pieces:
                yield piece
                if b"2025-03-02" in piece:
                    with file.open("a") as stream:
                        stream.write("B,,2025-03-02,1,2\n")

        return keep(taken(), limit)

    monkeypatch.setattr(store, "keep", slowly)
    with pytest.raises(loading.IngestFailedError, match="changed while it was read"):
        north.ingest()
    monkeypatch.undo()
    assert nothing_half_landed(north)


def test_the_server_is_not_there(north: Any, server: Sshd) -> None:
    stop(server.process)
    with pytest.raises(loading.IngestFailedError, match=r"cannot reach 127\.0\.0\.1"):
        north.ingest()
    assert outcomes(north)[-1][1] == "failed"

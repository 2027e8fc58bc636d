"""Files from a server: whole or not at all, in bounded time, whatever the network does."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import random
import resource
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest
from heliodor.errors import NotFetched, NotYetError, ReferenceError, UsageError
from heliodor.observers import Observer
from heliodor.references.selectors import Found
from heliodor_crds import fetch as fetching
from heliodor_crds.fetch import fetch, fetch_mappings
from heliodor_crds.server import Server

DARK = "jwst_nircam_dark_0001.fits"
GAIN = "jwst_nircam_gain_0002.fits"
LONG = random.Random(1).randbytes(300_000)


class Told(Observer):
    def __init__(self):
        self.calls = []

    def fetching(self, name, done, total):
        self.calls.append((name, done, total))


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "crds" / "references" / "jwst" / "nircam"


@pytest.fixture
def ask(fake, cache):
    """Fetch files by name; in the end nothing but whole files is in the cache."""
    fake.add(DARK, LONG)
    fake.add(GAIN, b"gain")

    def call(*names, observer=None):
        files = [Found(cache / name, "a test", fetch="heliodor_crds.fetch:fetch") for name in names]
        start = time.monotonic()
        try:
            fetch(files, observer or Observer())
        finally:
            assert time.monotonic() - start < 2
            for path in cache.rglob("*"):
                assert path.read_bytes() == fake.contents[path.name]

    return call


def here(cache):
    return sorted(path.name for path in cache.rglob("*"))


# ------------------------------------------------------------------ all is well


def test_files_are_brought_to_their_place(fake, ask, cache):
    ask(DARK, GAIN)
    assert here(cache) == [DARK, GAIN]
    assert (cache / DARK).read_bytes() == LONG


def test_what_is_there_is_not_asked_for(fake, ask, cache):
    ask(DARK)
    fake.asked.clear()
    ask(DARK)
    assert fake.asked == []


def test_files_are_readable_as_the_user_s_other_files_are(ask, cache, tmp_path):
    ask(GAIN)
    (tmp_path / "other").touch()
    assert (cache / GAIN).stat().st_mode == (tmp_path / "other").stat().st_mode


def test_progress_is_told_and_ends_with_everything(ask):
    told = Told()
    ask(DARK, GAIN, observer=told)
    assert told.calls[-1][1:] == (300_004, 300_004)
    done = [call[1] for call in told.calls]
    assert done == sorted(done)


def test_several_files_are_on_their_way_at_a_time(fake, cache, ask):
    names = [f"jwst_nircam_flat_{n:04}.fits" for n in range(4)]
    barrier = threading.Barrier(4, timeout=1)
    for name in names:
        fake.add(name, name.encode())
        fake.spoil(name, "together", barrier)
    ask(*names)
    assert here(cache) == names


def test_a_file_s_redirection_is_followed(fake, ask, cache):
    fake.spoil(DARK, "moved", f"{fake.url}/elsewhere/{DARK}")
    ask(DARK)
    assert here(cache) == [DARK]


def test_the_environment_may_name_another_place_of_references(fake, ask, cache, monkeypatch):
    fake.info["reference_url"] = {"jwst": "http://127.0.0.1:9"}
    monkeypatch.setenv("CRDS_REFERENCE_URI", f"{fake.url}/mirror")
    ask(DARK)
    assert here(cache) == [DARK]
    monkeypatch.setenv("CRDS_REFERENCE_URI", "s3://bucket/references")
    with pytest.raises(NotYetError, match="S3 is not there yet"):
        ask(GAIN)


def test_older_servers_tell_their_list_by_request(fake, ask, cache):
    fake.info["download_metadata"] = None
    ask(DARK)
    assert "get_file_info_map" in fake.asked
    assert here(cache) == [DARK]


def test_a_checksum_that_the_server_does_not_know_is_not_compared(fake, ask, cache):
    fake.listed[DARK]["sha1sum"] = "none"
    ask(DARK)
    assert here(cache) == [DARK]


def test_mappings_come_before_what_names_them(fake, cache):
    context, *others = "jwst_0001.pmap", "jwst_miri_0001.imap", "jwst_miri_dark_0001.rmap"
    for name in (context, *others):
        fake.add(name, name.encode())
    fake.spoil(others[1], "status", 404)
    with pytest.raises(NotFetched, match=f"{others[1]}.*404"):
        fetch_mappings(context, cache.joinpath)
    assert here(cache) == []
    fetch_mappings(context, cache.joinpath)
    assert here(cache) == sorted([context, *others])


def test_contexts_are_named_by_the_server(fake):
    server = Server.from_environment()
    assert server.default_context() == "jwst_0001.pmap"
    assert server.build_context("3.0.0") == "jwst_0002.pmap"


# ------------------------------------------------------------------ no server


@pytest.mark.parametrize("url", [None, "", "https://crds-serverless-mode.stsci.edu"])
def test_local_mode_opens_no_socket(cache, monkeypatch, url):
    def refuse(*_, **__):
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.delenv("CRDS_SERVER_URL", raising=False)
    if url is not None:
        monkeypatch.setenv("CRDS_SERVER_URL", url)
    with pytest.raises(ReferenceError, match=r"local mode.*CRDS_SERVER_URL.*CRDS_PATH"):
        fetch([Found(cache / DARK, "a test")], Observer())
    with pytest.raises(ReferenceError, match="local mode"):
        fetch_mappings("jwst_0001.pmap", cache.joinpath)


@pytest.mark.parametrize("url", ["jwst-crds.stsci.edu", "ftp://x.org", "file:///etc"])
def test_what_is_no_address_is_refused(cache, monkeypatch, url):
    monkeypatch.setenv("CRDS_SERVER_URL", url)
    with pytest.raises(UsageError, match=r"CRDS_SERVER_URL = .*is not allowed.*https://"):
        fetch([Found(cache / DARK, "a test")], Observer())


@pytest.mark.parametrize("value", ["soon", "-1", "0", "nan", "inf"])
def test_settings_that_are_no_numbers_are_refused(fake, ask, monkeypatch, value):
    monkeypatch.setenv("CRDS_CLIENT_TIMEOUT_SECONDS", value)
    with pytest.raises(UsageError, match=f"CRDS_CLIENT_TIMEOUT_SECONDS = {value}"):
        ask(DARK)


def test_another_program_is_not_there_yet(fake, ask, monkeypatch):
    monkeypatch.setenv("CRDS_DOWNLOAD_PLUGIN", "wget ${SOURCE_URL} -O ${OUTPUT_PATH}")
    with pytest.raises(NotYetError, match="CRDS_DOWNLOAD_PLUGIN"):
        ask(DARK)


def test_refused(fake, ask, cache):
    fake.close()
    with pytest.raises(ReferenceError, match=rf"{fake.url}.*no connection.*refused.*3 times"):
        ask(DARK)
    assert here(cache) == []


# ------------------------------------------------------------------ bad answers to questions


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (("status", 404), "404 Not Found"),
        (("says", b"<html>Please log in</html>"), "not JSON.*<html>Please log in"),
        (("says", b"[" * 100_000), "not JSON"),
        (("says", b""), "not JSON.*nothing"),
        (("says", b"[1, 2]"), "neither result nor error"),
        (("says", b'{"result": 5, "error": null}'), "no table: 5"),
        (("says", b'{"result": null, "error": {"message": "no idea"}}'), "server says: no idea"),
        (("says", b'{"result": {"crds_encoded": "1.0", "crds_payload": "AAAA"}}'), "be unpacked"),
        (("says", b'{"result": {"download_metadata": 3}}'), "list of files is no table: 3"),
        (("moved", "https://x.org/new"), "sends one on to https://x.org/new"),
    ],
)
def test_bad_answers(fake, ask, cache, fault, message):
    fake.spoil("get_server_info", *fault, times=3)
    with pytest.raises(ReferenceError, match=rf"(?s){fake.url}.*get_server_info.*{message}"):
        ask(DARK)
    assert here(cache) == []
    assert fake.asked == ["get_server_info"]


@pytest.mark.parametrize("fault", [("status", 500), ("status", 503), ("half",), ("reset",)])
def test_what_may_pass_is_tried_again(fake, ask, cache, fault):
    fake.spoil("get_server_info", *fault, times=2)
    ask(GAIN)
    assert here(cache) == [GAIN]
    fake.spoil("get_server_info", *fault, times=3)
    with pytest.raises(ReferenceError, match=r"get_server_info: .*\(3 times\)"):
        ask(DARK)


@pytest.mark.parametrize("fault", ["hang", "hang_halfway", "drip"])
def test_a_server_that_hangs_is_left(fake, ask, cache, fault):
    fake.spoil("get_server_info", fault, times=3)
    with pytest.raises(ReferenceError, match=r"get_server_info: nothing came for 0.4 s.*TIMEOUT"):
        ask(DARK)
    assert fake.asked == ["get_server_info"]


@pytest.mark.parametrize("entry", [{"size": "1"}, {"size": "many", "sha1sum": ""}])
def test_a_list_that_lacks_something(fake, ask, entry):
    fake.listed[DARK] = entry
    with pytest.raises(ReferenceError, match=f"{fake.url}.*list of files lacks size .*{DARK}"):
        ask(DARK)
    ask(GAIN)


def test_a_server_without_addresses(fake, ask):
    fake.info["reference_url"] = None
    with pytest.raises(ReferenceError, match="no reference_url"):
        ask(DARK)


@pytest.mark.parametrize("name", ["../../outside.pmap", "/etc/passwd", ".hidden", 7])
def test_names_that_lead_out_of_the_cache_are_refused(fake, tmp_path, name):
    fake.contents[name] = b""
    fake.result = lambda method: json.dumps({"result": [name]}).encode()
    with pytest.raises(ReferenceError, match="is no name of a file"):
        fetch_mappings("jwst_0001.pmap", tmp_path.joinpath)


# ------------------------------------------------------------------ bad files


def test_a_file_that_the_server_does_not_know(fake, ask, cache):
    with pytest.raises(NotFetched, match=f"other.fits: CRDS server {fake.url} does not know it"):
        ask("other.fits", GAIN)
    assert here(cache) == [GAIN]


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (("status", 404), "404 Not Found"),
        (("status", 503), r"503 Service Unavailable \(3 times\)"),
        (("half",), r"ended after 150000 of 300000 bytes \(3 times\)"),
        (("reset",), r"the connection broke after .* \(3 times\)"),
        (("shorter",), "299999 bytes came, the 300000 of the server's list"),
        (("longer",), "300004 bytes came, more than the 300000"),
        (("other",), f"its checksum is .* list {hashlib.sha1(LONG).hexdigest()}"),
    ],
)
def test_bad_files(fake, ask, cache, fault, message):
    fake.spoil(DARK, *fault, times=3)
    with pytest.raises(NotFetched, match=f"{DARK}: {fake.url}/files/jwst/{DARK}: .*{message}"):
        ask(DARK, GAIN)
    assert here(cache) == [GAIN]
    fake.faults.clear()
    ask(DARK)
    assert here(cache) == [DARK, GAIN]


@pytest.mark.parametrize("fault", ["half", "reset", "shorter", "other"])
def test_a_file_that_was_damaged_on_the_way_is_asked_for_again(fake, ask, cache, fault):
    fake.spoil(DARK, fault)
    ask(DARK)
    assert fake.asked.count(DARK) == 2
    assert here(cache) == [DARK]


@pytest.mark.parametrize("fault", ["hang", "hang_halfway", "drip"])
def test_files_that_hang_are_left_and_no_more_begun(fake, ask, cache, fault):
    names = [f"jwst_nircam_flat_{n:04}.fits" for n in range(9)]
    for name in names:
        fake.add(name, LONG)
        fake.spoil(name, fault)
    with pytest.raises(NotFetched, match=r"nothing came for 0.4 s") as failure:
        ask(*names)
    assert len(failure.value.reasons) == 9
    assert "not begun, as jwst_nircam_flat_000" in str(failure.value)
    assert sum(name in fake.asked for name in names) == fetching.PARALLEL
    assert here(cache) == []


def test_an_endless_file_is_broken_off(fake, ask, cache):
    fake.spoil(DARK, "endless")
    with pytest.raises(NotFetched, match="more than the 300000"):
        ask(DARK)


# ------------------------------------------------------------------ the cache


def test_no_space_for_all(ask, cache, monkeypatch, fake):
    free = type("Usage", (), {"free": 1000})
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: free)
    with pytest.raises(ReferenceError, match=r"1 files of 0.00 GB are to be fetched.*are free"):
        ask(DARK)
    assert DARK not in fake.asked


def test_the_disk_is_full_half_way(ask, cache, monkeypatch):
    def full(number):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(NotFetched, match=f"{DARK}: {cache}: cannot be written to: No space left"):
        ask(DARK)
    assert here(cache) == []


def test_a_file_is_too_large_for_the_disk(fake, ask, cache):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        with pytest.raises(NotFetched, match="cannot be written to: File too large"):
            ask(DARK)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert here(cache) == []


def test_a_cache_that_is_only_read(fake, ask, cache, monkeypatch):
    monkeypatch.setenv("CRDS_READONLY_CACHE", "1")
    with pytest.raises(ReferenceError, match="CRDS_READONLY_CACHE is set"):
        ask(DARK)
    monkeypatch.delenv("CRDS_READONLY_CACHE")
    cache.parent.mkdir(parents=True)
    cache.write_text("this is no folder")
    with pytest.raises(ReferenceError, match=f"{cache}: this folder of the cache cannot be"):
        fetch([Found(cache / DARK, "a test")], Observer())
    cache.unlink()
    monkeypatch.setattr(os, "access", lambda *_: False)  # whoever runs the tests may write all
    with pytest.raises(ReferenceError, match="this folder of the cache cannot be written to"):
        ask(DARK)
    assert fake.asked == []


CHILD = """
import sys
from pathlib import Path
from heliodor.observers import Observer
from heliodor.references.selectors import Found
from heliodor_crds.fetch import fetch

class Told(Observer):
    def fetching(self, name, done, total):
        print("fetching", flush=True)

fetch([Found(Path(sys.argv[1]), "a test")], Told())
"""


def child(path, timeout="9"):
    env = {**os.environ, "CRDS_CLIENT_TIMEOUT_SECONDS": timeout}
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, str(path)], env=env, stdout=subprocess.PIPE, text=True
    )


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_killed_half_way(fake, ask, cache, number):
    fake.spoil(DARK, "hang_halfway")
    with child(cache / DARK) as process:
        assert process.stdout.readline() == "fetching\n"
        process.send_signal(number)
        assert process.wait(2) != 0
    left = list(cache.iterdir())
    assert [path.suffix for path in left] == ([".part"] if number == signal.SIGKILL else [])
    for part in left:  # a selector must not take it for a file; nobody writes to it any more
        assert part.name.startswith(".")
        os.utime(part, (0, 0))
    ask(DARK)
    assert here(cache) == [DARK]


def test_two_processes_at_once(fake, ask, cache):
    fake.spoil(DARK, "together", threading.Barrier(2, timeout=5), times=2)
    processes = [child(cache / DARK), child(cache / DARK)]
    for process in processes:
        with process:
            assert process.wait(5) == 0
    assert fake.asked.count(DARK) == 2
    assert here(cache) == [DARK]
    assert (cache / DARK).read_bytes() == LONG


def test_the_client_of_crds_understands_this_server_and_what_was_fetched(fake, ask, cache):
    """The server of these tests speaks as real ones do, and the cache is one and the same."""
    code = (
        "import sys; from crds.client import api\n"
        "paths, number, size = api.dump_files('jwst_0001.pmap', sys.argv[1:])\n"
        "print(number, size, *paths.values())"
    )
    root = cache.parents[2]
    env = {name: value for name, value in os.environ.items() if "CRDS_CLIENT" not in name}
    env |= {"CRDS_PATH": str(root)}
    mapping = "jwst_nircam_dark_0001.rmap"
    fake.add(mapping, b"{}")

    def theirs():
        done = subprocess.run(
            [sys.executable, "-c", code, GAIN, DARK, mapping],
            env=env, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        number, size, *paths = done.stdout.splitlines()[-1].split()
        return int(number), int(size), sorted(paths)

    fetch_mappings("jwst_0001.pmap", (root / "mappings" / "jwst").joinpath)
    fetch([Found(cache / DARK, "a test")], Observer())
    paths = [root / "mappings" / "jwst" / mapping, cache / DARK, cache / GAIN]
    assert theirs() == (1, 4, sorted(map(str, paths)))
    fake.asked.clear()
    ask(DARK, GAIN)
    assert fake.asked == []

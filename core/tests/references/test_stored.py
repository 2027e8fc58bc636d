"""The index that a large folder of references is given."""

from __future__ import annotations

import logging
import multiprocessing
import os
import sqlite3

import pytest
from heliodor.errors import OutputError
from heliodor.references import index, stored


@pytest.fixture(autouse=True)
def _nothing_remembered(monkeypatch):
    index._row.cache_clear()
    index._note.cache_clear()
    monkeypatch.setattr(index, "WORTH_AN_INDEX", 3)


@pytest.fixture
def five(tmp_path, write):
    """Write five references, one of them below, and a file that is none."""
    for number in range(5):
        name = "below/4.fits" if number == 4 else f"{number}.fits"
        write(name, REFTYPE="GAIN" if number % 2 else "DARK", INSTRUME="X", DETECTOR=f"D{number}")
    write("x_uncal.fits", INSTRUME="X")
    return tmp_path


def names(folder, *wanted):
    return [entry.path.name for entry in index.read(folder, *wanted)]


def unread(monkeypatch):
    index._row.cache_clear()
    monkeypatch.setattr(index, "_keywords", lambda path: pytest.fail(f"{path} is read again"))


def test_a_large_folder_is_given_an_index_and_not_read_again(five, monkeypatch):
    first = index.read(five)
    assert (five / stored.NAME).is_file()
    unread(monkeypatch)
    assert index.read(five) == first
    assert len(first) == 5


def test_a_small_folder_is_left_alone(tmp_path, write):
    write("gain.fits", REFTYPE="GAIN")
    assert names(tmp_path) == ["gain.fits"]
    assert os.listdir(tmp_path) == ["gain.fits"]


@pytest.mark.parametrize("times", [1, 2])
def test_only_what_is_wanted_is_given(five, times):
    for _ in range(times):  # without the index, then with it
        found = index.read(five, {"DARK"}, "X")
    assert [entry.value("DETECTOR") for entry in found] == ["D0", "D2", "D4"]
    assert index.read(five, {"DARK"}, "Y") == ()
    assert index.read(five, {"MASK"}, "X") == ()


def test_files_that_cannot_be_read_are_always_given(five, monkeypatch):
    (five / "torn.fits").write_bytes(b"SIMPLE  = torn")
    index.build(five)
    unread(monkeypatch)
    assert names(five, {"MASK"}, "X") == ["torn.fits"]


def test_added_changed_and_removed_files_are_seen(five, write):
    index.read(five)
    write("new.fits", REFTYPE="GAIN", INSTRUME="X")
    (five / "1.fits").unlink()
    (five / "3.fits").unlink()
    write("3.fits", REFTYPE="DARK", INSTRUME="X")
    assert names(five, {"GAIN"}, "X") == ["new.fits"]
    assert names(five, {"DARK"}, "X") == ["0.fits", "2.fits", "3.fits", "4.fits"]


def test_another_file_of_the_same_size_and_time_is_seen(five, write):
    index.read(five)
    path = five / "0.fits"
    before = path.stat()
    path.unlink()
    write("0.fits", REFTYPE="GAIN", INSTRUME="X", DETECTOR="D0")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    assert names(five, {"DARK"}, "X") == ["2.fits", "4.fits"]


@pytest.mark.parametrize("content", [b"", b"no database", b"SQLite format 3\0" + bytes(5000)])
def test_a_broken_index_is_made_anew(five, content, monkeypatch):
    first = index.read(five)
    (five / stored.NAME).write_bytes(content)
    index._row.cache_clear()
    assert index.read(five) == first
    unread(monkeypatch)
    assert index.read(five) == first


def test_an_index_with_a_broken_page_is_made_anew(five, monkeypatch):
    first = index.read(five)
    path = five / stored.NAME
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    path.write_bytes(content)
    assert index.read(five) == first
    unread(monkeypatch)
    assert index.read(five) == first


def test_an_index_of_other_tables_is_made_anew(five, monkeypatch):
    first = index.read(five)
    with sqlite3.connect(five / stored.NAME) as database:
        database.execute("PRAGMA user_version = 99")
        database.execute("ALTER TABLE files RENAME COLUMN type TO kind")
    database.close()
    assert index.read(five) == first
    unread(monkeypatch)
    assert index.read(five) == first


def test_an_index_that_cannot_be_written_is_done_without(five, monkeypatch, caplog):
    def refuse(*_, **__):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(stored, "_write", refuse)
    with caplog.at_level(logging.WARNING):
        assert len(index.read(five)) == len(index.read(five)) == 5
    (said,) = caplog.messages
    assert "Read-only file system" in said
    assert "headers of 6 files are read each time" in said
    assert not list(five.glob(f"{stored.NAME}*"))
    with pytest.raises(OutputError, match="Read-only"):
        index.build(five)


def test_an_index_is_read_without_locks(five, monkeypatch):
    first = index.read(five)
    unread(monkeypatch)
    other = sqlite3.connect(five / stored.NAME, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    assert index.read(five) == first
    other.close()


def test_a_file_that_another_process_did_not_know_is_not_lost(five, write, monkeypatch):
    """Between looking and reading, another process may put back an older index."""
    index.read(five)
    older = (five / stored.NAME).read_bytes()
    write("new.fits", REFTYPE="GAIN", INSTRUME="X")
    update = stored.update

    def overtaken(folder, changes):
        update(folder, changes)
        (folder / stored.NAME).write_bytes(older)

    monkeypatch.setattr(stored, "update", overtaken)
    assert names(five, {"GAIN"}, "X") == ["1.fits", "3.fits", "new.fits"]


def _many(folder, start, results):
    start.wait()
    results.put(sorted(entry.path.name for _ in range(5) for entry in index.read(folder)))


def test_processes_at_once(five):
    context = multiprocessing.get_context("fork")
    start, results = context.Event(), context.Queue()
    workers = [context.Process(target=_many, args=(five, start, results)) for _ in range(4)]
    for worker in workers:
        worker.start()
    start.set()
    found = [results.get(timeout=60) for _ in workers]
    for worker in workers:
        worker.join()
    assert all(each == sorted(5 * names(five)) for each in found)
    assert [path.name for path in five.glob(".*")] == [stored.NAME]


def test_what_a_killed_process_left_is_taken_away_in_time(five):
    old, young = (five / f"{stored.NAME}.{name}" for name in ("1-1", "2-2"))
    for path in (old, young):
        path.write_bytes(b"half")
    os.utime(old, (0, 0))
    index.build(five)
    assert not old.exists()
    assert young.exists()


def test_links_and_folders_that_look_like_files(five):
    (five / "folder.fits").mkdir()
    (five / "gone.fits").symlink_to(five / "nowhere")
    (five / "again.fits").symlink_to(five / "0.fits")
    assert "again.fits" in names(five, {"DARK"}, "X")
    assert len(index.read(five)) == 6


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("2022-05-01T10:20:30", (2022, 5, 1, 10, 20, 30)),
        ("2022-05-01 10:20:30.125", (2022, 5, 1, 10, 20, 30)),
        ("2022-05-01", (2022, 5, 1)),
        ("Jan 01 2015 00:00:00", (2015, 1, 1)),
        ("yesterday", None),
        ("2022-13-01T00:00:00", None),
        ("", None),
    ],
)
def test_dates(said, expected):
    found = index.date(said)
    assert found == (expected and type(found)(*expected))

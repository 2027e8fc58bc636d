"""Lock files as documents: one order, what is written is read again, mistakes have a line."""

from __future__ import annotations

import pytest
from heliodor.errors import OutputError, UsageError
from heliodor.references.lockfile import NONE, NOT_APPLICABLE, Lock, LockedFile, read

SHA = "1234567890" * 6 + "1e10"
FILES = {
    "b_gain.fits": LockedFile("b_gain.fits", SHA, 23040, "folder"),
    "a_dark.fits": LockedFile("a_dark.fits", SHA[::-1], 7, "crds", "jwst_1303.pmap"),
    "mine, or yours.asdf": LockedFile("mine, or yours.asdf", SHA, 1, "--pars"),
}
EXPOSURES = {
    "jw2_uncal.fits": {"gain": "b_gain.fits", "dark": "a_dark.fits"},
    "jw1_uncal.fits": {"ipc": NOT_APPLICABLE, "gain": "b_gain.fits", "flat": NONE},
}
LOCK = Lock(FILES, EXPOSURES, ("mine, or yours.asdf",), {"heliodor": "0.1", "a": "2.0"})
TEXT = f"""\
# The reference files of these exposures, by name and content. `heliodor sync` brings them here,
# `heliodor run --locked` takes no others.
lock: 1
versions:
  a: "2.0"
  heliodor: "0.1"
files:
  a_dark.fits:
    sha256: "{SHA[::-1]}"
    size: 7
    selector: crds
    context: jwst_1303.pmap
  b_gain.fits:
    sha256: "{SHA}"
    size: 23040
    selector: folder
  "mine, or yours.asdf":
    sha256: "{SHA}"
    size: 1
    selector: "--pars"
parameter_files: ["mine, or yours.asdf"]
exposures:
  jw1_uncal.fits:
    flat: none
    gain: b_gain.fits
    ipc: N/A
  jw2_uncal.fits:
    dark: a_dark.fits
    gain: b_gain.fits
"""


def test_the_document():
    assert LOCK.text() == TEXT


def test_order_does_not_depend_on_who_came_first():
    turned = Lock(
        dict(reversed(FILES.items())), dict(reversed(EXPOSURES.items())), LOCK.parameter_files,
        dict(reversed(LOCK.versions.items())),
    )  # fmt: skip
    assert turned.text() == TEXT


def test_what_is_written_is_read_again(tmp_path):
    path = tmp_path / "heliodor.lock"
    LOCK.write(path)
    again = read(path)
    assert again == Lock(LOCK.files, LOCK.exposures, LOCK.parameter_files, LOCK.versions, path)
    assert again.text() == TEXT
    assert [each.name for each in tmp_path.iterdir()] == ["heliodor.lock"]


def test_a_lock_that_was_changed_is_read_anew(tmp_path):
    path = tmp_path / "heliodor.lock"
    LOCK.write(path)
    assert "jw2_uncal.fits" in read(path).exposures
    Lock(FILES, {}).write(path)
    assert read(path).exposures == {}


def test_nothing_locked(tmp_path):
    path = tmp_path / "heliodor.lock"
    Lock({}, {}).write(path)
    assert (read(path).files, read(path).exposures) == ({}, {})


def test_it_cannot_be_written(tmp_path):
    with pytest.raises(OutputError, match=r"nowhere.*cannot be written"):
        LOCK.write(tmp_path / "nowhere" / "heliodor.lock")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("lock: 1", "lock: 2", "begins with lock: 2"),
        ("lock: 1", "loc: 1", "begins with lock: None"),
        ("lock: 1\n", "lock: 1\nfils: {}\n", "heliodor.lock:4: .*Did you mean 'files'"),
        ("    size: 7\n", "", "heliodor.lock:9: a_dark.fits has no size"),
        ("    size: 7\n", "    size: big\n", "heliodor.lock:10: a_dark.fits has no size.*'big'"),
        (f'"{SHA[::-1]}"', "[1]", "heliodor.lock:9: a_dark.fits has no sha256"),
        ("dark: a_dark.fits", "dark: c_dark.fits", "heliodor.lock:28: dark: c_dark.fits is not"),
        ("  a_dark.fits:", "  ../a_dark.fits:", "not the name of a file alone"),
        ('["mine, or yours.asdf"]', "[other.asdf]", "heliodor.lock:21: other.asdf is not among"),
        (
            "  jw1_uncal.fits:\n",
            "  jw1_uncal.fits: 3\n  jw3:\n",
            "where names and values belong stands 3",
        ),
        ("files:\n", "files: {\n", "not YAML"),
    ],
)
def test_mistakes(tmp_path, old, new, said):
    path = tmp_path / "heliodor.lock"
    assert old in TEXT
    path.write_text(TEXT.replace(old, new, 1))
    with pytest.raises(UsageError, match=said):
        read(path)


def test_no_lock(tmp_path):
    with pytest.raises(UsageError, match=r"none\.lock: cannot be read as a lock file"):
        read(tmp_path / "none.lock")
    (tmp_path / "binary.lock").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="cannot be read as a lock file"):
        read(tmp_path / "binary.lock")


def test_versions_that_differ():
    here = {"heliodor": "0.1", "b": "1.0"}
    assert LOCK.differences(here) == ("heliodor.lock was made with a 2.0, here is none",)
    assert LOCK.differences({**here, "a": "2.1"}) == (
        "heliodor.lock was made with a 2.0, here is a 2.1",
    )
    assert LOCK.differences({**here, "a": "2.0"}) == ()

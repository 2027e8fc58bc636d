"""Mapping files: read as literals; refused with the reason if they are not what they should be."""

from __future__ import annotations

import pytest
from heliodor.errors import ReferenceError
from heliodor_crds import mappings

NAMES = ("META.INSTRUMENT.DETECTOR", "META.SUBARRAY.NAME")
ONE = "UseAfter({'2022-01-01 00:00:00': 'one.fits'})"


@pytest.fixture
def path(cache):
    cache.rules("dark", NAMES, f"Match({{('NRCA1|NRCA2', 'GENERIC'): {ONE}}})")
    return cache.mappings / "jwst_nircam_dark_0001.rmap"


def test_rules_become_plain_data(path):
    assert mappings.read(path, "")["selector"] == [
        "Match",
        ["META.INSTRUMENT.DETECTOR", "META.SUBARRAY.NAME"],
        [
            [
                ("NRCA1|NRCA2", "N/A"),
                [
                    "UseAfter",
                    ["META.OBSERVATION.DATE", "META.OBSERVATION.TIME"],
                    [["2022-01-01 00:00:00", "one.fits"]],
                ],
            ]
        ],
    ]


def test_a_comment_is_passed_over(path, monkeypatch):
    monkeypatch.setenv("CRDS_IGNORE_MAPPING_CHECKSUM", "1")
    path.write_text(path.read_text() + '\ncomment = """why"""\n')
    assert mappings.read(path, "")


def read(cache, names, selector, **header):
    cache.rules("dark", names, selector, **header)
    return mappings.read(cache.mappings / "jwst_nircam_dark_0001.rmap", "a.imap")


@pytest.mark.parametrize(
    ("selector", "why"),
    [
        ("Match({'a': 'x.fits'})", "the row a has 1 values for 2 names"),
        ("Match({('a', 'b'): 'x', ('A', 'b '): 'y'})", "stands in it twice"),
        ("Match({('a', 'BETWEEN 5 1'): 'x'})", "the lower limit is the greater"),
        ("Match({('a', '([)'): 'x'})", "unterminated"),
        ("Match({('a', 'b'): 5})", "5 is no name of a file"),
        ("Match({('a', 'b'): '../x.fits'})", "'../x.fits' is no name of a file"),
        ("Match({('a', 'b'): __import__('os')})", "selector __import__ is not known|malformed"),
        ("Match(__import__('os'))", "malformed"),
        ("ClosestTime({'a': 'x'})", "the selector ClosestTime is not known"),
        ("{'a': 'x'}", "its selector is not one of"),
        ("Match({('a', 'b'): UseAfter({'2022': UseAfter({'2022': 'x'})})})", "parkey|leads to"),
    ],
)  # fmt: skip
def test_selectors_that_are_refused(cache, selector, why):
    with pytest.raises(ReferenceError, match=f"rmap: this mapping, named by a.imap, .*({why})"):
        read(cache, NAMES, selector)


@pytest.mark.parametrize(
    "text",
    [
        "(META.INSTRUMENT.DETECTOR.lower() == 'x')",
        "(META.INSTRUMENT.FILTER == 'x')",  # not among its names, so that it stays an attribute
        "(open('x'))",
        "(a b)",
    ],
)
def test_expressions_that_are_refused(cache, text):
    with pytest.raises(ReferenceError, match=r"is not allowed|is no expression"):
        read(cache, NAMES, f"Match({{('a', 'b'): {ONE}}})", rmap_relevance=text)


def test_nothing_in_a_mapping_is_executed(cache, tmp_path):
    trap = tmp_path / "trap"
    call = f"__import__('pathlib').Path({str(trap)!r}).touch()"
    for selector in (call, f"Match({{('a', 'b'): {call}}})", f"Match({{({call}, 'b'): 'x'}})"):
        with pytest.raises(ReferenceError):
            read(cache, NAMES, selector)
    path = cache.mappings / "jwst_nircam_dark_0001.rmap"
    path.write_text(f"{call}\n" + path.read_text())
    with pytest.raises(ReferenceError, match="line 1 is neither header, selector nor comment"):
        mappings.read(path, "a.imap")
    assert not trap.exists()


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda text: text.replace("one.fits", "two.fits"), "checksum is wrong"),
        (lambda text: text.replace("sha1sum", "sum"), "no checksum"),
        (lambda text: text[: len(text) // 2], "SyntaxError|lacks a header or a selector"),
        (lambda text: text[: text.index("selector")], "lacks a header or a selector"),
        (lambda text: text.replace("'parkey'", "'key'"), "its header has no parkey"),
        (lambda text: "", "lacks a header or a selector"),
        (lambda text: "not python at all", "SyntaxError"),
        (lambda text: "\0" * 10, "null bytes"),
        (lambda text: "(" * 500, "Error"),
    ],
)
def test_damaged_files_are_refused(path, change, why):
    path.write_text(change(path.read_text()))
    with pytest.raises(ReferenceError, match=why):
        mappings.read(path, "a.imap")


def test_checksums_can_be_left_out(path, monkeypatch):
    path.write_text(path.read_text().replace("one.fits", "two.fits"))
    monkeypatch.setenv("CRDS_IGNORE_MAPPING_CHECKSUM", "1")
    assert "two.fits" in str(mappings.read(path, ""))


def test_a_file_that_cannot_be_read_is_named(path):
    path.unlink()
    path.mkdir()
    with pytest.raises(ReferenceError, match=r"jwst_nircam_dark_0001.rmap.*named by a.imap"):
        mappings.read(path, "a.imap")


@pytest.mark.parametrize(
    ("text", "number"),
    [("0.7.0rc2", (0, 7, 0)), ("1.20.2", (1, 20, 2)), ("3", (3, 0, 0)), ("1.2.dev5", (1, 2, 0))],
)
def test_versions(text, number):
    assert mappings.version(text) == number

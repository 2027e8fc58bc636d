"""The same choice as the client of CRDS, for headers made of the values in the rules themselves."""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
REAL = ROOT.parent / "shared/data/crds_mappings/jwst_0619"
"""A complete tree of the observatory, beside the workspace where there is one."""

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("crds") is None, reason="the client of CRDS is not installed"
)
DAY = ("META.OBSERVATION.DATE", "META.OBSERVATION.TIME")
DETECTOR, FILTER, PUPIL = (f"META.INSTRUMENT.{name}" for name in ("DETECTOR", "FILTER", "PUPIL"))
TYPE, SUBARRAY = "META.EXPOSURE.TYPE", "META.SUBARRAY.NAME"
VERSION = "META.CALIBRATION_SOFTWARE_VERSION"
CHANNEL, TSO = "META.INSTRUMENT.CHANNEL", "META.VISIT.TSOVISIT"


def dated(*names: str) -> str:
    """Files from one year on, each a year later."""
    rows = ", ".join(f"'{2020 + n}-01-01 00:00:00': 'jwst_nircam_{name}.fits'"
                     for n, name in enumerate(names))  # fmt: skip
    return f"UseAfter({{{rows}}})"


ONE, TWO, THREE = dated("a1", "a2"), dated("b1", "b2", "b3"), dated("c1")
TWO_NAMES = f"""Match({{
    ('NRCA1', 'FULL'): {ONE}, ('NRCA1', 'N/A'): {TWO}, ('N/A', 'FULL'): {THREE},
    ('NRCA2|NRCA3', 'GENERIC'): {TWO}, ('ANY', 'SUB64'): 'N/A', ('NRCA4', 'SUB64'): {ONE}}})"""

RULES: dict[str, tuple[tuple[str, ...], str, dict]] = {
    "plain": ((DETECTOR, SUBARRAY), TWO_NAMES, {}),
    "apart": ((DETECTOR, SUBARRAY), TWO_NAMES, {"merge_overlaps": "False"}),
    "optional": ((DETECTOR, SUBARRAY), TWO_NAMES, {"reffile_required": "no"}),
    "required": ((DETECTOR, SUBARRAY), TWO_NAMES, {"reffile_required": "YES"}),
    "switched": ((DETECTOR, SUBARRAY), TWO_NAMES, {
        "reffile_switch": TSO, "extra_keys": (TYPE,), "rmap_relevance": f"({TYPE} != 'NRC_WFSS')"}),
    "relevant": ((DETECTOR, TYPE), f"Match({{('ANY', 'NRC_IMAGE|NRC_WFSS'): {ONE}}})", {
        "rmap_relevance": f"({TYPE} in ['NRC_IMAGE', 'NRC_CORON']) and not ({TSO} == 'T')"}),
    "small": ((DETECTOR, TYPE), f"Match({{('ANY', 'ANY'): {ONE}}})", {"rmap_relevance": "false"}),
    "strange": ((DETECTOR,), f"Match({{'ANY': {ONE}}})", {"rmap_relevance": "(NOBODY == 'T')"}),
    "omitted": ((DETECTOR, TYPE), f"Match({{('ANY', 'ANY'): {ONE}}})", {
        "rmap_omit": f"({DETECTOR} == 'NRCA1' or {TYPE} == 'NRC_WFSS')"}),
    "masked": ((DETECTOR, FILTER), f"Match({{('ANY', 'F070W'): {ONE}, ('NRCA2', 'N/A'): {TWO}}})", {
        "parkey_relevance": {FILTER: f"({DETECTOR} not in ['NRCA1', 'NRCA3'])"}}),
    "comments": ((DETECTOR, FILTER), f"Match({{('NRCA1', 'F070W'): {ONE}, ('N/A', 'X'): {TWO}}})", {
        "comment_parkeys": (FILTER,)}),
    "others": ((DETECTOR, FILTER), f"Match({{('ANY', 'BLUE'): {ONE}, ('ANY', 'RED'): {TWO}}})", {
        "substitutions": {FILTER: {"BLUE": ["F070W", "F090W"], "RED": "F444W"}}}),
    "globs": ((FILTER,), f"Match({{'F0*': {ONE}, 'F4?4W|F2*': {TWO}, 'N/A': {THREE}}})", {}),
    "only-globs": ((FILTER,), f"Match({{'F0*': {ONE}, 'F444W': {TWO}}})", {}),
    "all": ((FILTER, PUPIL), f"Match({{('*', 'CLEAR'): {ONE}, ('F070W', '*'): {TWO}}})", {}),
    "literal": ((FILTER,), f"Match({{'{{F070W|F090W}}': {ONE}, '{{F444W}}': {TWO}}})", {}),
    "regular": ((FILTER,), f"Match({{'(F[0-9]+W)': {ONE}, '(F.*)': {TWO}}})", {}),
    "negated": ((FILTER, PUPIL), f"Match({{('NOT F070W', 'NOT CLEAR'): {ONE}}})", {}),
    "between": ((CHANNEL,), f"Match({{'between 1 5': {ONE}, 'BETWEEN 5 40': {TWO}}})", {}),
    "limits": ((CHANNEL,), f"Match({{'>3': {ONE}, '<= 12.5': {TWO}, 'N/A': 'N/A'}})", {}),
    "both": ((CHANNEL,), f"Match({{'#>3 and <12.5#': {ONE}, '#<2 or >30#': {TWO}}})", {}),
    "range": ((CHANNEL,), f"Match({{'1:34': {ONE}}})", {}),
    "numbers": ((CHANNEL, TSO), f"Match({{('12', 'T'): {ONE}, (34, False): {TWO}}})", {}),
    "words": ((DETECTOR,), "Match({'NRCA1': 'N/A', 'NRCA2': 'OMIT', 'NRCA3': 'TEMP_N/A', "
              "'NRCA4': 'TEMP_OMIT', 'NRCALONG': 'n/a'})", {}),
    "names": ((DETECTOR, SUBARRAY), "Match({('NRCA1', 'N/A'): 'jwst_nircam_x.fits', "
              "('N/A', 'FULL'): 'jwst_nircam_y.fits', ('NRCA2', 'N/A'): 'N/A'})", {}),
    "nameless": ((), f"Match({{(): {TWO}}})", {}),
    "bare": ((DETECTOR,), f"{TWO}", {"parkey": (DAY,), "classes": ("UseAfter",)}),
    "version": ((), "VersionAfter({'0.9.0': 'jwst_nircam_v1.fits', '1.10.0': 'jwst_nircam_v2.fits'"
                "})", {"parkey": ((VERSION,),), "classes": ("VersionAfter",)}),
    # values by which the expressions above are met
    "values": ((DETECTOR, FILTER, PUPIL, TYPE, SUBARRAY, CHANNEL, TSO), f"""Match({{
        ('NRCA1', 'F070W', 'CLEAR', 'NRC_IMAGE', 'FULL', '1', 'T'): {ONE},
        ('NRCA2', 'F090W', 'MASK', 'NRC_CORON', 'SUB64', '4.5', 'F'): {TWO},
        ('NRCA3', 'F444W', 'F405N', 'NRC_WFSS', 'SUB320', '12', 'F'): {THREE},
        ('NRCA4|NRCALONG', 'F200W|F2000', 'ANY', 'N/A', 'GENERIC', '34|5|40', 'N/A'): {ONE},
    }})""", {}),
}  # fmt: skip
"""Everything that rules can say, by type: names, selector, more of the header."""


def write(folder: Path, name: str, header: dict, selector: str) -> None:
    """Write a mapping with its checksum."""
    header = {"name": name, "observatory": "JWST", "derived_from": "generated by hand", **header}
    lines = "".join(f"    {key!r} : {value!r},\n" for key, value in header.items())
    text = f"header = {{\n{lines}    'sha1sum' : '@@',\n}}\n\nselector = {selector}\n"
    bare = "".join(line for line in text.splitlines(keepends=True) if "sha1sum" not in line)
    (folder / name).write_text(text.replace("@@", hashlib.sha1(bare.encode()).hexdigest()))


@pytest.fixture
def made_up(tmp_path):
    """A tree of mappings with everything that rules can say."""
    folder = tmp_path / "mappings"
    folder.mkdir()
    types = {"ABSENT": "N/A", "UNASKED": "OMIT"}
    for type, (names, selector, more) in RULES.items():
        types[type.upper()] = name = f"jwst_nircam_{type}_0001.rmap"
        header = {
            "mapping": "REFERENCE", "instrument": "NIRCAM", "filekind": type.upper(),
            "classes": ("Match", "UseAfter"), "parkey": (names, DAY), **more,
        }  # fmt: skip
        write(folder, name, header, selector)
    instrument = {"mapping": "INSTRUMENT", "instrument": "NIRCAM", "parkey": ("REFTYPE",)}
    write(folder, "jwst_nircam_0001.imap", instrument, repr(types))
    top = {"mapping": "PIPELINE", "parkey": ("META.INSTRUMENT.NAME",)}
    write(folder, "jwst_0001.pmap", top, repr({"NIRCAM": "jwst_nircam_0001.imap"}))
    return folder


@pytest.fixture
def compare(tmp_path, monkeypatch):
    """Compare for a number of headers; gives what differs, and how often there was what."""
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    import selection

    def compare(mappings: Path, count: int):
        context = selection.cache(tmp_path / "cache", mappings)
        jobs = list(selection.headers(mappings, context, count, seed=2))
        differing, counts = selection.compared(jobs, tmp_path / "cache", context)
        return differing, counts, {job["keywords"].get("INSTRUME") for job in jobs}

    return compare


def test_everything_that_rules_can_say(made_up, compare):
    differing, counts, _ = compare(made_up, 1500)
    assert differing == []
    assert min(counts[kind] for kind in ("file", "N/A", "unknown")) > 2000


@pytest.mark.skipif(not REAL.is_dir(), reason="the real mappings are not beside the workspace")
def test_the_rules_of_the_observatory(compare):
    differing, counts, instruments = compare(REAL, 2500)
    assert differing == []
    assert instruments >= {"FGS", "MIRI", "NIRCAM", "NIRISS", "NIRSPEC", "SYSTEM"}
    assert min(counts[kind] for kind in ("file", "N/A", "unknown")) > 5000

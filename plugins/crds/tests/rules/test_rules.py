"""What rules choose, by hand: each thing that mappings of CRDS can say."""

from __future__ import annotations

import pytest
from heliodor.references.selectors import Found, NotApplicable, Unknown

DETECTOR, FILTER, SUBARRAY = (
    "META.INSTRUMENT.DETECTOR",
    "META.INSTRUMENT.FILTER",
    "META.SUBARRAY.NAME",
)
ONE = "UseAfter({'2022-01-01 00:00:00': 'one.fits'})"
TWO = "UseAfter({'2022-01-01 00:00:00': 'two.fits'})"
NRCA1 = {"DETECTOR": "NRCA1"}


def test_a_row_names_the_file(choose):
    rows = f"Match({{'NRCA1': {ONE}, 'NRCA2': {TWO}}})"
    assert choose((DETECTOR,), rows, NRCA1) == "one.fits"


def test_a_value_that_no_row_has_is_not_known(choose):
    answer = choose((DETECTOR,), f"Match({{'NRCA1': {ONE}}})", {"DETECTOR": "NRCB1"})
    assert answer == Unknown("jwst_nircam_dark_0001.rmap: DETECTOR=NRCB1 is not known to the rules")


def test_a_keyword_that_is_not_there_is_no_match(choose):
    answer = choose((DETECTOR,), f"Match({{'NRCA1': {ONE}}})", {})
    assert "DETECTOR=UNDEFINED" in answer.why


def test_the_row_that_names_more_of_the_exposure_counts(choose):
    rows = f"Match({{('NRCA1', 'N/A'): {ONE}, ('NRCA1', 'FULL'): {TWO}}})"
    assert choose((DETECTOR, SUBARRAY), rows, {**NRCA1, "SUBARRAY": "FULL"}) == "two.fits"
    assert choose((DETECTOR, SUBARRAY), rows, {**NRCA1, "SUBARRAY": "SUB64"}) == "one.fits"


def test_generic_subarrays_say_nothing(choose):
    rows = f"Match({{('NRCA1', 'GENERIC'): {ONE}, ('NRCA1', 'FULL'): {TWO}}})"
    assert choose((DETECTOR, SUBARRAY), rows, {**NRCA1, "SUBARRAY": "SUB64"}) == "one.fits"


def test_substitutions_put_values_in_place_of_others(choose):
    rows = f"Match({{('NRCA1', 'BLUE'): {ONE}, ('NRCA1', 'F444W'): {TWO}}})"
    blue = {FILTER: {"BLUE": ["F070W", "F090W"]}}
    header = {**NRCA1, "FILTER": "F090W"}
    assert choose((DETECTOR, FILTER), rows, header, substitutions=blue) == "one.fits"


@pytest.mark.parametrize(
    ("day", "clock", "name"),
    [
        ("2021-12-31", "23:59:59.9", None),
        ("2022-01-01", "00:00:00", "old.fits"),
        ("2022-05-31", "23:59:59", "old.fits"),
        ("2022-06-01", "00:00:00", "new.fits"),
        ("2022-06-01T00:00:00", None, None),
    ],
)
def test_the_latest_file_that_is_not_after_the_observation_counts(choose, day, clock, name):
    rows = """Match({'NRCA1': UseAfter({
        '2022-06-01 00:00:00': 'new.fits', '2022-01-01 00:00:00': 'old.fits'})})"""
    header = {**NRCA1, "DATE_OBS": day, "TIME_OBS": clock}
    answer = choose((DETECTOR,), rows, header)
    assert answer == name if name else isinstance(answer, Unknown)


def test_before_the_first_file_the_next_best_row_has_its_turn(choose):
    rows = f"Match({{('NRCA1', 'FULL'): {ONE}, ('NRCA1', 'N/A'): 'N/A'}})"
    header = {**NRCA1, "SUBARRAY": "FULL", "DATE_OBS": "2020-01-01"}
    answer = choose((DETECTOR, SUBARRAY), rows, header)
    assert answer == NotApplicable("jwst_nircam_dark_0001.rmap: DETECTOR=NRCA1, SUBARRAY=N/A")


def test_equally_good_rows_are_joined_by_date(choose):
    rows = """Match({
        ('NRCA1', 'N/A'): UseAfter({'2022-01-01 00:00:00': 'a1', '2022-03-01 00:00:00': 'a2'}),
        ('N/A', 'FULL'): UseAfter({'2022-02-01 00:00:00': 'b1', '2022-03-01 00:00:00': 'b2'})})"""
    names = DETECTOR, SUBARRAY
    header = {**NRCA1, "SUBARRAY": "FULL"}
    assert choose(names, rows, {**header, "DATE_OBS": "2022-01-15"}) == "a1"
    assert choose(names, rows, {**header, "DATE_OBS": "2022-02-15"}) == "b1"
    assert choose(names, rows, {**header, "DATE_OBS": "2022-03-15"}) == "b2"  # the later name


def test_equally_good_rows_may_not_be_to_be_joined(choose):
    rows = f"Match({{('NRCA1', 'N/A'): {ONE}, ('N/A', 'FULL'): {TWO}}})"
    header = {**NRCA1, "SUBARRAY": "FULL"}
    answer = choose((DETECTOR, SUBARRAY), rows, header, merge_overlaps="False")
    assert "several rows fit equally well" in answer.why


def test_equally_good_rows_of_which_only_one_has_a_file_are_an_error(choose):
    rows = f"Match({{('NRCA1', 'N/A'): {ONE}, ('N/A', 'FULL'): 'N/A'}})"
    answer = choose((DETECTOR, SUBARRAY), rows, {**NRCA1, "SUBARRAY": "FULL"})
    assert isinstance(answer, Unknown)


@pytest.mark.parametrize("word", ["N/A", "TEMP_N/A", "OMIT"])
def test_words_in_place_of_a_file(choose, word):
    assert isinstance(choose((DETECTOR,), f"Match({{'NRCA1': {word!r}}})", NRCA1), NotApplicable)


@pytest.mark.parametrize(
    ("text", "applies"),
    [
        ("always", True),
        ("(META.INSTRUMENT.DETECTOR == 'NRCA1')", True),
        ("(META.INSTRUMENT.DETECTOR != 'NRCA1')", False),
        ("(META.VISIT.TSOVISIT == 'T')", False),
        ("(SOMETHING == 'T')", True),  # as CRDS does with what it cannot evaluate
        ("false", True),  # without brackets it is in small letters, and no name
    ],
)
def test_rmap_relevance_says_whether_the_type_applies(choose, text, applies):
    header = {**NRCA1, "TSOVISIT": False}
    answer = choose((DETECTOR,), f"Match({{'NRCA1': {ONE}}})", header, rmap_relevance=text)
    assert (answer == "one.fits") == applies
    assert applies or isinstance(answer, NotApplicable)


def test_rmap_omit_leaves_the_type_out(choose):
    omit = "(META.INSTRUMENT.DETECTOR == 'NRCA1')"
    answer = choose((DETECTOR,), f"Match({{'NRCA1': {ONE}}})", NRCA1, rmap_omit=omit)
    assert answer == NotApplicable("jwst_nircam_dark_0001.rmap: rmap_omit: the type is left out")


def test_parkey_relevance_makes_values_not_matter(choose):
    rows = f"Match({{('NRCA1', 'F070W'): {ONE}}})"
    relevance = {FILTER: "META.INSTRUMENT.DETECTOR != 'NRCA1'"}
    header = {**NRCA1, "FILTER": "F444W"}
    assert isinstance(choose((DETECTOR, FILTER), rows, header), Unknown)
    found = choose((DETECTOR, FILTER), rows, header, parkey_relevance=relevance)
    assert found == "one.fits"


def test_comments_among_the_names_do_not_matter(choose):
    rows = f"Match({{('NRCA1', 'F070W'): {ONE}}})"
    header = {**NRCA1, "FILTER": "F444W"}
    assert choose((DETECTOR, FILTER), rows, header, comment_parkeys=(FILTER,)) == "one.fits"


def test_a_type_that_is_not_required_need_not_match(choose):
    rows = f"Match({{'NRCA2': {ONE}}})"
    assert isinstance(choose((DETECTOR,), rows, NRCA1, reffile_required="NO"), NotApplicable)
    assert isinstance(choose((DETECTOR,), rows, NRCA1, reffile_required="YES"), Unknown)


def test_numbers_and_switches_of_the_header_are_compared_as_the_rules_write_them(choose):
    names = "META.INSTRUMENT.CHANNEL", "META.VISIT.TSOVISIT"
    rows = f"Match({{('12', 'T'): {ONE}, ('34', 'F'): {TWO}}})"
    assert choose(names, rows, {"CHANNEL": 12, "TSOVISIT": True}) == "one.fits"
    assert choose(names, rows, {"CHANNEL": "34", "TSOVISIT": False}) == "two.fits"


def test_patterns_serve_values_only_where_some_row_takes_any(choose):
    rows = f"Match({{'F0*': {ONE}, 'F444W': {TWO}}})"
    assert isinstance(choose((FILTER,), rows, {"FILTER": "F070W"}), Unknown)
    rows = f"Match({{'F0*': {ONE}, 'F444W': {TWO}, 'N/A': 'N/A'}})"
    assert choose((FILTER,), rows, {"FILTER": "F070W"}) == "one.fits"


def test_versions_are_compared_as_versions(choose):
    rows = "VersionAfter({'0.9.0': 'old.json', '0.10.0': 'new.json'})"
    names = {"parkey": (("META.CALIBRATION_SOFTWARE_VERSION",),), "classes": ("VersionAfter",)}
    assert choose((), rows, {"CAL_VER": "0.9.7rc1"}, **names) == "old.json"
    assert choose((), rows, {"CAL_VER": "3.0.0"}, **names) == "new.json"
    assert isinstance(choose((), rows, {"CAL_VER": "0.1.0"}, **names), Unknown)
    assert isinstance(choose((), rows, {"CAL_VER": "unknown"}, **names), Unknown)


def test_an_observation_without_a_date_has_no_file(choose):
    answer = choose((DETECTOR,), f"Match({{'NRCA1': {ONE}}})", {**NRCA1, "DATE_OBS": None})
    assert answer.why.endswith("the exposure has no DATE-OBS")


def test_types_without_rules(cache, select):
    cache.rules("dark", (DETECTOR,), f"Match({{'NRCA1': {ONE}}})")
    cache.context(FLAT="N/A", GAIN="OMIT")
    answers = select("flat", "gain", "mask", **NRCA1)
    assert answers == {
        "flat": NotApplicable("jwst_0001.pmap has no flat for NIRCAM"),
        "gain": NotApplicable("jwst_0001.pmap leaves out gain for NIRCAM"),
        "mask": Unknown("jwst_0001.pmap has no rules for mask of NIRCAM"),
    }
    other = select("dark", INSTRUME="MIRI")
    assert other == Unknown("jwst_0001.pmap has no rules for the instrument MIRI")


def test_what_was_found_says_by_which_rule(cache, select):
    cache.rules("dark", (DETECTOR, SUBARRAY), f"Match({{('NRCA1|NRCA2', 'N/A'): {ONE}}})")
    cache.context()
    answer = select("dark", **NRCA1, SUBARRAY="FULL")
    assert isinstance(answer, Found)
    assert answer.path == cache.folder / "references/jwst/nircam/one.fits"
    assert answer.context == "jwst_0001.pmap"
    assert answer.why == (
        "jwst_nircam_dark_0001.rmap: DETECTOR=NRCA1|NRCA2, SUBARRAY=N/A; "
        "USEAFTER 2022-01-01 00:00:00; not in the cache, and CRDS_SERVER_URL names no server"
    )

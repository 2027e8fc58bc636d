"""Products are the same to the byte: any threads, height of pieces, in memory or on scratch."""

from __future__ import annotations

import pytest
from heliodor import planning, running, scratch
from heliodor.plans import Plan, Request

PARAMETERS = {"save_calibrated_ramp": True, "ramp_fit.save_opt": True}


@pytest.fixture
def products(tmp_path, planes):
    """Calibrate an exposure; gives the bytes of every array of every product."""

    def make(case, threads, strip, **options):
        request = Request(
            parameters=PARAMETERS,
            folders=(case.references,),
            out=tmp_path / f"{threads}-{strip}-{len(options)}",
            threads=threads,
            strip=strip,
            **options,
        )
        done = running.run(planning.plan(case.exposure, request))
        return {
            (kind, name): array.tobytes()
            for kind, path in done.paths.items()
            for name, array in planes(path).items()
        }

    return make


@pytest.fixture(params=["nircam", "niriss"])
def case(request, simulated):
    if request.param == "nircam":
        # taller than two pieces of the usual height, which does not divide it
        return simulated("nircam-imaging", size=(72, 150), nints=2, ngroups=7, readpatt="BRIGHT2")
    return simulated("niriss-imaging", subarray="SUB80", nints=3, ngroups=4)


def test_threads_and_strips_change_nothing(case, products):
    usual = products(case, threads=1, strip=64)
    assert {kind for kind, _ in usual} == {"rate", "rateints", "ramp", "fitopt"}
    for threads, strip in ((2, 64), (8, 64), (1, 1), (2, 7), (1, 10_000), (8, 33)):
        other = products(case, threads, strip)
        assert other.keys() == usual.keys()
        different = [name for name in usual if usual[name] != other[name]]
        assert not different, f"with {threads} threads and {strip} rows"


def test_again_is_the_same(small_nircam, products):
    assert products(small_nircam, 2, 64) == products(small_nircam, 2, 64)


@pytest.mark.parametrize(("threads", "strip", "room"), [(1, 64, 10**9), (2, 7, 10**6), (8, 64, 0)])
def test_scratch_changes_nothing(case, products, monkeypatch, threads, strip, room):
    usual = products(case, threads=2, strip=64)
    # such small exposures would never need it
    monkeypatch.setattr(scratch, "SMALL", 1)
    monkeypatch.setattr(Plan, "on_scratch", True)
    monkeypatch.setattr(Plan, "room", room)
    other = products(case, threads, strip, max_memory=10**10)
    assert other.keys() == usual.keys()
    assert not [name for name in usual if usual[name] != other[name]]


def test_scratch_counts_the_same_flags(case, tmp_path, monkeypatch):
    def flagged(**options):
        request = Request(folders=(case.references,), out=tmp_path, **options)
        done = running.run(planning.plan(case.exposure, request), save=False)
        return {step.label: outcome.flagged for step, outcome in done.outcomes}

    usual = flagged()
    monkeypatch.setattr(scratch, "SMALL", 1)
    monkeypatch.setattr(Plan, "on_scratch", True)
    assert flagged(max_memory=10**10) == usual
    assert sum(map(len, usual.values())) > 5

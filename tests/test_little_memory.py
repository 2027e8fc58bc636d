"""`--max-memory`: what the plan says of it, and what is wrong with it."""

from __future__ import annotations

import gzip
import json
import shutil

import pytest
from heliodor import memory, plans

USAGE, OUTPUT = 2, 7


@pytest.fixture
def little(monkeypatch):
    """Memory so short that even a small exposure goes to scratch, but not too short."""
    monkeypatch.setattr(memory, "ROOM", 0)
    monkeypatch.setattr(memory, "RESERVE", -(10 << 20))
    monkeypatch.setattr(plans, "RESERVE", -(10 << 20))
    return memory.BASE - (4 << 20)


def test_the_plan_as_data(cli, small_nircam, little):
    given = "plan", small_nircam.exposure, "--references", small_nircam.references
    (plan,) = json.loads(cli(*given, "--max-memory", little, "--json").out)
    assert plan["memory"]["on_scratch"]
    assert {"dq_init.reject", "saturation.find"} <= set(plan["passes"][0])
    names = [name for names in plan["passes"] for name in names]
    assert len(set(names)) == len(names) > len(plan["passes"])
    (usual,) = json.loads(cli(*given, "--json").out)
    assert [[name] for name in names] == usual["passes"]


def test_the_plan_as_a_table(cli, small_nircam, little):
    given = "plan", small_nircam.exposure, "--references", small_nircam.references
    text = " ".join(cli(*given, "--max-memory", little).out.split())
    assert "on scratch in ." in text
    assert "phases that share a traversal" in text
    assert "dq_init.reject, saturation.find" in text


def test_a_run(cli, small_nircam, little, tmp_path, planes):
    given = "run", small_nircam.exposure, "--references", small_nircam.references
    assert cli(*given, "--out", tmp_path / "usual").code == 0
    done = cli(*given, "--out", tmp_path / "little", "--max-memory", little)
    assert done.code == 0
    products = sorted((tmp_path / "little").iterdir())
    assert len(products) == 2
    for path in products:
        usual = planes(tmp_path / "usual" / path.name)
        for name, array in planes(path).items():
            assert array.tobytes() == usual[name].tobytes()


def test_too_little(cli, small_nircam, tmp_path):
    given = "run", small_nircam.exposure, "--references", small_nircam.references
    done = cli(*given, "--out", tmp_path / "out", "--max-memory", "100M")
    assert done.code == USAGE
    text = " ".join(done.err.split())
    assert f"{small_nircam.exposure}: --max-memory 0.10G is too little" in text
    assert "take 0.56 GB even with it on scratch" in text


def test_no_size(cli, small_nircam):
    done = cli("plan", small_nircam.exposure, "--max-memory", "much")
    assert done.code == USAGE
    assert "'much' is not a size: allowed are such as 1.5G" in " ".join(done.err.split())


def test_a_compressed_exposure(cli, small_nircam, little, tmp_path):
    packed = tmp_path / (small_nircam.exposure.name + ".gz")
    with open(small_nircam.exposure, "rb") as plain, gzip.open(packed, "wb") as file:
        shutil.copyfileobj(plain, file)
    given = "run", packed, "--references", small_nircam.references, "--out", tmp_path / "out"
    done = cli(*given, "--max-memory", little)
    assert done.code == USAGE
    assert "Unpack it first" in done.err


def test_a_folder_for_scratch_that_is_not_there(cli, small_nircam, little, tmp_path, monkeypatch):
    monkeypatch.setattr("heliodor.scratch.SMALL", 1)
    given = "run", small_nircam.exposure, "--references", small_nircam.references
    missing = tmp_path / "missing"
    done = cli(*given, "--out", tmp_path / "out", "--max-memory", little, "--scratch", missing)
    assert done.code == OUTPUT
    text = " ".join(done.err.split())
    assert f"{missing}: scratch files cannot be made" in text
    assert "Traceback" not in text

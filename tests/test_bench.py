"""The benchmark's own arithmetic, and the tables it puts into a document."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

TOOLS = Path(__file__).parents[1] / "tools"


@pytest.fixture(autouse=True)
def _tools(monkeypatch):
    monkeypatch.syspath_prepend(str(TOOLS))


def record(cpu, wall=1.0, **parts):
    return {"wall": wall, "cpu": cpu, "peak": 100.0, "parts": parts}


@pytest.fixture
def measured():
    """Two cases: one that both programs ran, one that ours alone could."""
    use = {"wall": 2.0, "cpu": 4.0, "peak": 200.0}
    theirs = {"wall": 30.0, "cpu": 40.0, "peak": 1000.0}
    floor = {"read": 5e6, "written": 2e6, "wall": 0.1, "cpu": 0.5}
    ours = [record(3.0, jump=1.0), record(2.0, reading=0.5, jump=1.0)]
    case = {"exposure": "a", "samples": 10**9, "limit": None, "unable": "", "floor": floor}
    return {
        "machine": {
            "processor": "some", "cores": 2, "memory": 2**34, "python": "3", "heliodor": "1",
            "jwst": "3.0.0", "threads": 2, "pairs": 1, "load": 0.1, "date": "2026-01-01",
        },
        "imports": {"ours": use, "theirs": theirs},
        "cases": {
            "long": {**case, "limit": "1G", "unable": "too much",
                     "ours": {"whole": use, "runs": []}, "theirs": None},
            "tso": {**case, "ours": {"whole": use, "runs": ours},
                    "theirs": {"whole": theirs, "runs": [record(50.0, jump=10.0)]}},
        },
        "curves": {
            "groups": {"sizes": [1, 2, 3], "ours": [1.0, 1.1, 1.2], "theirs": [3.0, 5.0, 7.0]}
        },
    }  # fmt: skip


def test_a_line_goes_through_points_that_lie_on_one():
    from benchmark.figures import line

    slope, start = line([1, 2, 4], [5.0, 7.0, 11.0])
    assert slope == pytest.approx(2)
    assert start == pytest.approx(3)


def test_a_line_lies_between_points_that_do_not():
    from benchmark.figures import line

    # normal equations by hand: means 2 and 2, sums of products 2 and 1
    slope, start = line([1, 2, 3], [2.0, 1.0, 3.0])
    assert slope == pytest.approx(0.5)
    assert start == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("theirs", "ours", "told"),
    [(12.0, 5.0, "2.4"), (1000.0, 4.0, "250"), (None, 1.0, ""), (1.0, None, "")],
)
def test_a_ratio_is_told_where_both_were_measured(theirs, ours, told):
    from benchmark.figures import ratio

    assert ratio(theirs, ours) == told


def test_what_no_part_holds_is_the_rest():
    from benchmark.figures import parts

    assert parts(record(5.0, jump=3.0, rest=0.1)) == {"jump": 3.0, "rest": pytest.approx(2.0)}


def test_later_runs_are_taken_from_a_process():
    from benchmark.processes import Use, without

    whole = Use(wall=10.0, cpu=12.0, peak=900.0)
    left = without(whole, [record(3.0, wall=2.0), record(4.0, wall=1.0)], peak=500.0)
    assert left == Use(7.0, 5.0, 500.0)


def test_a_process_is_measured_and_what_it_prints_is_kept(tmp_path):
    from benchmark.processes import runs_of

    script = tmp_path / "script.py"
    script.write_text(
        "import json, sys\n"
        "x = bytearray(300 << 20)\n"
        "for i in range(0, len(x), 4096): x[i] = 1\n"
        "print('said on the way')\n"
        "print(json.dumps([{'got': json.load(open(sys.argv[1]))}]), end='')\n"
    )
    use, records = runs_of([sys.executable, str(script)], tmp_path / "jobs.json", [1, 2])
    assert records == [{"got": [1, 2]}]
    assert 300 < use.peak < 400
    assert use.cpu > 0.01


def test_a_run_that_failed_is_told(tmp_path):
    from benchmark.processes import runs_of

    script = tmp_path / "script.py"
    script.write_text('print(\'[{"error": "no light"}]\')')
    with pytest.raises(RuntimeError, match="no light"):
        runs_of([sys.executable, str(script)], tmp_path / "jobs.json", [])


def test_the_floor_reads_every_byte_and_writes_as_many(tmp_path):
    from benchmark import floor

    file = tmp_path / "file"
    file.write_bytes(b"\0" * 1_000_003)
    job = {"exposure": file, "references": [file], "writes": [12345, 7], "folder": tmp_path}
    done = floor.run(job)
    assert (done["read"], done["written"]) == (2_000_006, 12352)
    assert list(tmp_path.iterdir()) == [file]


def test_tables_tell_what_was_measured(measured):
    from benchmark.tables import all_of

    tables = all_of(json.loads(json.dumps(measured)))
    whole = tables["whole"].splitlines()
    assert "| 2.00 | 30.0 | 15.0 | 4.00 | 40.0 | 10.0 | 200 | 1000 | 5.0 |" in whole[3]
    assert "x 2000, within 1G | 2.00 | does not fit |  | 4.00 | does not fit |  |" in whole[4]
    assert whole[-1] == "`long`: too much"
    assert "| 2.00 | 50.0 (first) | 25.0 |" in tables["marginal"]
    assert "| 5 | 2 | 0.50 | 8.0 | 4.0 | 80.0 |" in tables["floor"]
    # start 4 - 3, steps with what is between them; then the last run
    assert tables["shares"].endswith(
        "| 1.00 | 0.00 | 0.00 | 3.00 | 0.00 | 0.00 | 0.50 | 1.50 | 0.00 |"
    )
    assert "| `jump` | 1.000 | 10.0 |" in tables["steps"]
    assert "| rest | 0.500 | 40.0 |" in tables["steps"]
    assert "| `jump` | 1.00 |" in tables["samples"]
    assert "| a group more | 100.0 | 2000 | 20.0 | 0.90 | 1.00 | 1.1 |" in tables["curves"]
    more = {"looks": "frame", "planning_ms": 0.25, "run_ms": 1.0, "percent": 0.61}
    case = {"planning_ms": 5.0, "run_ms": 200.0, "one_step_more": [more]}
    tables = all_of({**measured, "overhead": {"long within 1G": case}})
    assert "| `long` within 1G: images of groups | 205 | 0.2 | 1.0 | 0.6 |" in tables["overhead"]


def test_tables_are_put_where_a_document_asks_for_them():
    from benchmark.tables import fill

    page = "before\n<!-- measured: a -->\nold\n<!-- end -->\nafter <!-- measured: b --><!-- end -->"
    once = fill(page, {"a": "A", "b": "B"})
    assert once.startswith("before\n<!-- measured: a -->\n\nA\n\n<!-- end -->\nafter ")
    assert "old" not in once
    assert fill(once, {"a": "A", "b": "B"}) == once
    with pytest.raises(KeyError):
        fill(page, {"a": "A"})

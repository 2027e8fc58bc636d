"""Pipelines as lines: every kind of node, and what edits change."""

from __future__ import annotations

from heliodor.documents.apply import apply
from heliodor.documents.outline import difference, outline
from heliodor.documents.parse import parse

PIPELINE = """
name: made_up
for: {stage: 1}
options: {keep: false}
steps:
  - first: {enabled: false, when: {ngroups: {ge: 3}}, use: mine, on_error: skip}
  - my.module: {set: {a: 1}, of: {rate: x}, to: {y: y}, save: z}
  - choose:
      - {when: {instrument: MIRI}, do: [a]}
      - otherwise: [b]
  - each: [x, y]
    do: [{save: "{port}"}]
  - each: slits
    do: [c]
    gather: {x: joined}
  - aside: [d]
    as: apart
  - repeat: {times: 2, do: [e]}
  - {pipeline: other, when: {stage: 1}}
"""

LINES = """
for stage is 1
option keep = false
first
    skip = true
    use mine
    on_error skip
    when NGROUPS >= 3
module (my.module)
    a = 1
    of rate: x
    to y: y
    save z
choose
    branch miri
        when INSTRUME is MIRI
        a
    otherwise
        b
each x, y
    save {port}
each slits
    gather x: joined
    c
aside (apart)
    d
repeat 2 times
    e
pipeline other
    when stage is 1
"""


def parsed():
    text = PIPELINE.replace("- first", "- a0: {to: {x: x}}\n  - first")
    return parse(text, "made_up.yaml")


def test_every_kind_of_node():
    lines = [line for line in outline(parsed()) if line.strip() not in ("a0", "to x: x")]
    assert lines == LINES.strip().splitlines()


def edits(text):
    return parse(f"extends: made_up\nedits: {text}", "my.yaml", "user file")


def changed(text):
    before = parsed()
    found = difference(before, apply(before, edits(text)))
    assert found[:2] == ["--- made_up", "+++ made_up with my.yaml"]
    return [line for line in found[2:] if line[0] in "+-"]


def test_what_edits_change():
    assert changed("[set: {module.a: 2}]") == ["-    a = 1", "+    a = 2"]
    assert changed("[{set: {module.a: 2}, when: {filter: F200W}}]") == [
        "+    a = 2 when FILTER is F200W"
    ]
    assert changed("[{wrap: d, with: {guard: {set: {b: 1}}}}]") == [
        "+        wrapped by guard",
        "+            b = 1",
    ]
    assert changed("[{replace: d, by: other}]") == ["-    d", "+    other", "+        replaces d"]


def test_nothing_is_changed():
    assert difference(parsed(), apply(parsed(), edits("[]"))) == []

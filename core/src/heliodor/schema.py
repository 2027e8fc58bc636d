"""JSON Schemas of steps' parameters and of pipeline documents, for editors.

They describe what is best written; the program understands a little more (``"1,2"`` for a list,
a choice in any case, ``off`` for false), and it checks what no schema can: that a label is there,
that a port is filled.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from importlib.resources import files
from pathlib import PurePath
from typing import Any

import yaml

from heliodor import stepfiles
from heliodor.documents.facts import GROUPS, KEYWORDS, PLAN
from heliodor.engine import load
from heliodor.plugins import Offer, Registry

Schema = dict[str, Any]

DRAFT = "http://json-schema.org/draft-07/schema#"
"""The draft that editors for YAML know best."""


def step_schema(plugins: Registry, name: str) -> Schema:
    """Give the schema of a step's parameters; of several implementations, of all together.

    Parameters
    ----------
    plugins : what is installed
    name : of the step, or where it is: ``my_steps.py:destripe``

    Raises
    ------
    heliodor.errors.UsageError
        There is no such step; says which is nearest.
    """
    return {"$schema": DRAFT, "title": name, **_parameters(stepfiles.offers(name, plugins))}


def pipeline_schema(plugins: Registry) -> Schema:
    """Give the schema of pipelines and edits, with all steps and parameters that are installed.

    Parameters
    ----------
    plugins : what is installed
    """
    text = files("heliodor.documents").joinpath("grammar.yaml").read_text("utf-8")
    schema: Schema = {"$schema": DRAFT, **yaml.safe_load(text)}
    definitions = schema["definitions"]
    steps = {name: _parameters(plugins.offers(name)) for name in sorted(plugins.steps)}
    definitions |= {f"parameters-of-{name}": step for name, step in steps.items()}
    definitions |= {
        f"options-of-{name}": _with_parameters(definitions["step-options"], name) for name in steps
    }
    definitions["step-name"] = {"enum": [*steps]}
    by_name = definitions["step"]["anyOf"][-1]
    by_name["properties"] = {name: _ref(f"options-of-{name}") for name in steps}
    _add_addresses(definitions["set"]["properties"]["set"], steps)
    _add_facts(definitions["condition"])
    names = sorted({PurePath(resource.path).stem for resource, _ in plugins.pipelines})
    definitions["pipeline-name"] = {"anyOf": [{"enum": names}, _ref("label")]}
    return schema


def _parameters(offers: Iterable[Offer]) -> Schema:
    """Describe the parameters of a step's implementations."""
    found: dict[str, list[Schema]] = {}
    for offer in offers:
        for name, described in _properties(offer).items():
            if described not in found.setdefault(name, []):
                found[name].append(described)
    return {
        "type": "object",
        "properties": {
            name: several[0] if len(several) == 1 else {"anyOf": several}
            for name, several in found.items()
        },
        "additionalProperties": False,
    }


def _properties(offer: Offer) -> dict[str, Schema]:
    """Describe the parameters of one implementation; the unit stands at the end of the text too."""
    described = load(offer.spec.params).model_json_schema()["properties"]
    for schema in described.values():
        del schema["title"]
        if "unit" in schema:
            schema["description"] += f" [{schema['unit']}]"
    return dict(described)


def _with_parameters(options: Schema, name: str) -> Schema:
    """Give what may stand under a step's name, with its own parameters."""
    options = copy.deepcopy(options)
    options["properties"]["set"] = _ref(f"parameters-of-{name}")
    return options


def _add_addresses(settings: Schema, steps: dict[str, Schema]) -> None:
    """Let edits set what is known by its name, and anything of nodes that have another label."""
    for name, step in steps.items():
        settings["properties"][name] = _ref(f"parameters-of-{name}")
        for param in step["properties"]:
            settings["properties"][f"{name}.{param}"] = _ref(
                f"parameters-of-{name}/properties/{param}"
            )
    known = "|".join((*steps, "option"))
    settings["patternProperties"][rf"^.+/.+$|^(?!({known})(\.|$))[A-Za-z][\w-]*(\..+)?$"] = {}


def _add_facts(condition: Schema) -> None:
    """Let conditions ask about what is known by name."""
    for name in (*KEYWORDS, *(keyword.lower() for keyword in KEYWORDS.values()), *PLAN):
        condition["properties"].setdefault(name, _ref("asked"))
    condition["patternProperties"][rf"^({'|'.join(GROUPS)})\.."] = _ref("asked")


def _ref(definition: str) -> Schema:
    return {"$ref": f"#/definitions/{definition}"}

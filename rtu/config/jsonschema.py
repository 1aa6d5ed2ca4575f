"""The JSON Schema of a station file, for editors: completion, descriptions, and red lines while typing.

    python -m rtu.config.jsonschema > config/rtu.schema.json

It knows the keys of every driver that is installed. It judges tables one by one; what they must say
together only `rtu check` knows.
"""

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import Mapping
from typing import Any

import msgspec

import hw.interface
from hw.interface import Driver

from .schema import Device, Input, Output, StationFile

Node = dict[str, Any]

_REF = "#/$defs/"


def schema(drivers: Mapping[str, Driver]) -> Node:
    """The schema as a plain document, with the keys these drivers add."""
    _, found = msgspec.json.schema_components([StationFile], ref_template=_REF + "{name}")
    definitions: dict[str, Node] = dict(found)
    devices: list[Node] = []
    channel_keys: dict[str, dict[str, Node]] = {}
    for name in sorted(drivers):
        devices.append(_device(name, _table(drivers[name].config_type, name, definitions)))
        keys = _table(drivers[name].channel_type, name, definitions)["properties"]
        for key, node in keys.items():
            channel_keys.setdefault(key, {})[name] = node
    description = definitions[Device.__name__]["description"]
    definitions[Device.__name__] = {"title": "Device", "description": description, "oneOf": devices}
    for kind in (Input, Output):
        properties = definitions[kind.__name__]["properties"]
        del properties["options"]
        for key, nodes in channel_keys.items():
            properties.setdefault(key, _of_drivers(nodes))
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Station file of an outstation",
        "$ref": _REF + StationFile.__name__,
        "$defs": {name: _tidy(node) for name, node in sorted(definitions.items())},
    }


def _table(kind: type[msgspec.Struct], driver: str, definitions: dict[str, Node]) -> Node:
    """A driver's struct; what it refers to joins the definitions under the driver's name."""
    (reference,), found = msgspec.json.schema_components([kind], ref_template=f"{_REF}{driver}.{{name}}")
    own = reference["$ref"].removeprefix(f"{_REF}{driver}.")
    for name, node in found.items():
        if name != own:
            definitions[f"{driver}.{name}"] = node
    table: Node = found[own]
    return table


def _device(driver: str, table: Node) -> Node:
    return {
        "title": driver,
        "description": table.get("description", ""),
        "type": "object",
        "properties": {"driver": {"const": driver}} | table["properties"],
        "required": ["driver", *table.get("required", ())],
        "additionalProperties": False,
    }


def _of_drivers(nodes: Mapping[str, Node]) -> Node:
    """A key of one or several drivers; which of them is meant depends on the device."""
    distinct: list[Node] = []
    for node in nodes.values():
        if node not in distinct:
            distinct.append(node)
    whose = f"For devices of driver {', '.join(nodes)}."
    if len(distinct) > 1:
        return {"description": whose, "anyOf": distinct}
    (node,) = distinct
    return node | {"description": f"{node['description']} {whose}" if "description" in node else whose}


def _tidy(node: Any) -> Any:
    """TOML has no null: what may be absent is not written. Descriptions without the indentation of the source."""
    if isinstance(node, list):
        return [_tidy(item) for item in node if item != {"type": "null"}]
    if not isinstance(node, dict):
        return node
    if isinstance(node.get("description"), str):
        node = node | {"description": inspect.cleandoc(node["description"])}
    node = {
        # Below "properties" keys are the user's, and one of them is called "default".
        key: {name: _tidy(each) for name, each in value.items()} if key == "properties" else _tidy(value)
        for key, value in node.items()
        if key != "default" or _plain(value)
    }
    if len(node.get("anyOf", ())) == 1:
        node |= node.pop("anyOf")[0] | {key: node[key] for key in ("description",) if key in node}
    return node


def _plain(default: object) -> bool:
    return default is not None and not isinstance(default, dict | list)


def text(drivers: Mapping[str, Driver]) -> str:
    """The schema as it is kept in a file."""
    return json.dumps(schema(drivers), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(text(hw.interface.drivers()))

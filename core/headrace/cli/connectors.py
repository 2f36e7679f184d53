"""`headrace connectors`: what can be connected, with every option documented from its own declaration."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from pydantic import BaseModel
from rich.console import Console
from rich.table import Table
from rich.text import Text

from headrace.cli import common
from headrace.plugins import Connector
from headrace.settings import MappingSettings

LIMITS: Final = {
    "minimum": "≥ {}",
    "exclusiveMinimum": "> {}",
    "maximum": "≤ {}",
    "exclusiveMaximum": "< {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minItems": "at least {} items",
    "maxItems": "at most {} items",
    "pattern": "matches {}",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One key. `default` is as JSON holds it, and nothing where the key is required."""

    name: str
    type: str
    required: bool
    default: object
    limits: str
    description: str


def add(commands: common.Commands) -> None:
    parser = commands.add_parser(
        "connectors",
        help="what can be connected, with every option documented",
        description="Lists the installed connectors; with NAME, every option of that one, and what it refuses and why.",
    )
    parser.add_argument("name", metavar="NAME", nargs="?", help="source type, as in source: {type: NAME}")
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.set_defaults(carry_out=carry_out)


def carry_out(arguments: argparse.Namespace) -> int:
    catalog = common.catalog()
    types = [connector.type for connector in catalog.connectors]
    if arguments.name is not None:
        connector = catalog.connector(common.one_of("connector", arguments.name, types))
        described = describe(connector)
        print(json.dumps(described, indent=2, default=str)) if arguments.json else _show(described)
    elif arguments.json:
        print(json.dumps([{"type": one.type, "summary": one.summary} for one in catalog.connectors], indent=2))
    else:
        table = Table(box=None, pad_edge=False, show_header=False)
        for one in catalog.connectors:
            table.add_row(Text(one.type, style="bold"), Text(one.summary))
        common.console().print(table)
    return 0


def describe(connector: Connector) -> dict[str, Any]:
    """A connector as plain data."""
    mapping = [
        option
        for option in options(MappingSettings, connector.defaults)
        if option.name.split(".")[0] not in connector.refuses
    ]
    return {
        "type": connector.type,
        "summary": connector.summary,
        "order": connector.traits.order.value,
        "redelivers": connector.traits.redelivers,
        "source": [asdict(option) for option in options(connector.options, {})],
        "mapping": [asdict(option) for option in mapping],
        "refuses": dict(connector.refuses),
    }


def options(model: type[BaseModel], defaults: Mapping[str, Any]) -> list[Option]:
    """Every key of *model*, nested ones dotted; *defaults* go before its own."""
    schema = model.model_json_schema()
    return list(_options(schema, schema.get("$defs", {}), defaults, ""))


def _options(
    schema: Mapping[str, Any], known: Mapping[str, Any], defaults: Mapping[str, Any], prefix: str
) -> Iterator[Option]:
    for name, declared in schema.get("properties", {}).items():
        forms = [_resolved(form, known) for form in declared.get("anyOf", [declared])]
        real = [form for form in forms if form.get("type") != "null"]
        default = defaults.get(name, declared.get("default"))
        yield Option(
            name=prefix + name,
            type=" or ".join(_type(form, known) for form in real),
            required=name in schema.get("required", ()) and name not in defaults,
            default=default.model_dump(mode="json") if isinstance(default, BaseModel) else default,
            limits=", ".join(dict.fromkeys(limit for form in real for limit in _limits(form))),
            description=declared.get("description")
            or next((form["description"] for form in real if "description" in form), ""),
        )
        for form in real:
            if "properties" in form:
                yield from _options(form, known, {}, f"{prefix}{name}.")


def _resolved(form: Mapping[str, Any], known: Mapping[str, Any]) -> Mapping[str, Any]:
    if "$ref" in form:
        return {**known[form["$ref"].rpartition("/")[2]], **{key: form[key] for key in form if key != "$ref"}}
    return form


def _type(form: Mapping[str, Any], known: Mapping[str, Any]) -> str:
    if "const" in form:
        return json.dumps(form["const"])
    if "enum" in form:
        return " | ".join(map(str, form["enum"]))
    if form.get("type") == "array":
        return f"list of {_type(_resolved(form.get('items', {}), known), known)}"
    return str(form.get("type", "any"))


def _limits(form: Mapping[str, Any]) -> Iterator[str]:
    return (words.format(form[key]) for key, words in LIMITS.items() if key in form)


def _show(described: Mapping[str, Any]) -> None:
    console = common.console()
    console.print(Text(f"{described['type']}: {described['summary']}", style="bold"))
    comes = "what fails is delivered again by the source" if described["redelivers"] else "what fails is tried in place"
    console.print(Text(f"order: {described['order']}; {comes}"))
    _table(console, f"source: {{type: {described['type']}, …}}", described["source"])
    _table(console, "the mapping", described["mapping"])
    if described["refuses"]:
        console.print(Text("\nrefused", style="bold"))
        table = Table(box=None, pad_edge=False, show_header=False)
        for name, why in described["refuses"].items():
            table.add_row(Text(name), Text(why))
        console.print(table)


def _table(console: Console, title: str, rows: list[dict[str, Any]]) -> None:
    console.print(Text(f"\n{title}", style="bold"))
    table = Table(box=None, pad_edge=False, header_style="italic")
    for name in ("option", "type", "default", "limits", "meaning"):
        table.add_column(name, overflow="fold")
    for row in rows:
        default = "required" if row["required"] else json.dumps(row["default"], default=str)
        table.add_row(*map(Text, (row["name"], row["type"], default, row["limits"], row["description"])))
    console.print(table)

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
from headrace.plugins import Catalog, Connector
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
        description="Lists the installed sources and destinations; with NAME, all options of that one.",
    )
    parser.add_argument(
        "name", metavar="NAME", nargs="?", help="type, as in source: {type: NAME} or destination: {type: NAME}"
    )
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.set_defaults(carry_out=carry_out)


def carry_out(arguments: argparse.Namespace) -> int:
    catalog = common.catalog()
    if arguments.name is not None:
        types = [*(one.type for one in catalog.connectors), *(one.type for one in catalog.destinations)]
        described = describe(catalog, common.one_of("connector", arguments.name, dict.fromkeys(types)))
        print(json.dumps(described, indent=2, default=str)) if arguments.json else _show(described)
        return 0
    listed = [("source", one.type, one.summary) for one in catalog.connectors]
    listed += [("destination", one.type, one.summary) for one in catalog.destinations]
    if arguments.json:
        print(json.dumps([{"type": name, "role": role, "summary": text} for role, name, text in listed], indent=2))
    else:
        table = Table(box=None, pad_edge=False, show_header=False)
        for role, name, text in listed:
            table.add_row(Text(name, style="bold"), Text(role), Text(text))
        common.console().print(table)
    return 0


def describe(catalog: Catalog, name: str) -> dict[str, Any]:
    """All that is called *name*, a source, a destination or both, as plain data."""
    described: dict[str, Any] = {"type": name}
    for connector in catalog.connectors:
        if connector.type == name:
            described |= _source(connector)
    for kind in catalog.destinations:
        if kind.type == name:
            described.setdefault("summary", kind.summary)
            described["destination"] = [asdict(option) for option in options(kind.options, {})]
            described["limit"] = asdict(kind.limit) if kind.limit else None
            described["claim_check"] = kind.claims is not None
    return described


def _source(connector: Connector) -> dict[str, Any]:
    mapping = [
        option
        for option in options(MappingSettings, connector.defaults)
        if option.name.split(".")[0] not in connector.refuses
    ]
    return {
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
    console, name = common.console(), described["type"]
    console.print(Text(f"{name}: {described['summary']}", style="bold"))
    if "source" in described:
        comes = (
            "what fails is delivered again by the source" if described["redelivers"] else "what fails waits in place"
        )
        console.print(Text(f"order: {described['order']}; {comes}"))
        _table(console, f"source: {{type: {name}, …}}", described["source"])
        _table(console, "the mapping", described["mapping"])
    if "destination" in described:
        _table(console, f"destination: {{type: {name}, …}}", described["destination"])
        console.print(Text(f"takes {_taken(described['limit'])}"))
        if described["claim_check"]:
            console.print(Text(f"keeps what is too large for others: claim_check: {{type: {name}, …}}"))
    if described.get("refuses"):
        console.print(Text("\nrefused", style="bold"))
        table = Table(box=None, pad_edge=False, show_header=False)
        for setting, why in described["refuses"].items():
            table.add_row(Text(setting), Text(why))
        console.print(table)


def _taken(limit: Mapping[str, Any] | None) -> str:
    """What a destination takes at most, and who says so."""
    if limit is None:
        return "messages of any size"
    each = "messages of any size" if limit["message"] is None else f"{limit['message']:,} bytes a message"
    counted = "one message" if limit["count"] == 1 else f"{limit['count']} messages"
    parts = {"call": f"{limit['call'] or 0:,} bytes", "count": counted}
    call = " and ".join(text for name, text in parts.items() if limit[name] is not None)
    return f"{each}{f', {call} a call' if call else ''} ({limit['source']}; read {limit['read']})"


def _table(console: Console, title: str, rows: list[dict[str, Any]]) -> None:
    console.print(Text(f"\n{title}", style="bold"))
    table = Table(box=None, pad_edge=False, header_style="italic")
    for name in ("option", "type", "default", "limits", "meaning"):
        table.add_column(name, overflow="fold")
    for row in rows:
        default = "required" if row["required"] else json.dumps(row["default"], default=str)
        table.add_row(*map(Text, (row["name"], row["type"], default, row["limits"], row["description"])))
    console.print(table)

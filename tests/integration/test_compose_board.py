"""The board and the scraper of the testbed: they ask for what headrace's /metrics can print, where it is printed."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from headrace.observe import Tally
from headrace.service import metrics, status
from support.composed import FOLDER, SERVICES, addresses, listens, mounted

BOARDS = FOLDER / "grafana" / "dashboards"
BOARD = json.loads((BOARDS / "headrace.json").read_text())
PANELS = BOARD["panels"]
VARIABLES = {one["name"]: one["query"]["query"] for one in BOARD["templating"]["list"]}
EXPRESSIONS = [target["expr"] for panel in PANELS for target in panel["targets"]]
SOURCES = yaml.safe_load((FOLDER / "grafana" / "datasources" / "prometheus.yaml").read_text())["datasources"]
SCRAPER = yaml.safe_load((FOLDER / "prometheus" / "prometheus.yaml").read_text())

NAME = re.compile(r"\bheadrace_\w+")

BALANCED = ["filtered_out", "succeeded", "dropped", "delivered", "returned", "abandoned", "deduplicated", "in_flight"]
"""Of a `Tally`: what polled records are, as its docstring has it."""


def words(pattern: str, text: str) -> set[str]:
    """Every word in what the groups of *pattern* found."""
    return {word.strip() for found in re.findall(pattern, text) for word in found.split(",")}


@cache
def printed() -> dict[str, set[str]]:
    """The labels of every sample that /metrics prints of a service with a lane whose lag is known, by its name."""
    names = {"mapping": "orders", "source": "sqs", "lane": "queue"}
    tally = Tally()
    lane = status.LaneView(
        lane="queue",
        state="polling",
        reason="",
        since=0.0,
        in_flight=0,
        concurrency=1,
        counts=status.total([tally]),
        lag_seconds=0.0,
    )
    off = status.disabled(names["mapping"], names["source"], "f")
    values: dict[str, Any] = {field: getattr(off, field) for field in off.__dataclass_fields__}
    view = status.MappingView(**values | {"lanes": (lane,), "lag_records": 0})
    histograms = status.LaneHistograms(**names, duration=tally.duration, batch_size=tally.batch_size, age=tally.age)
    _, body = metrics.exposition("shop", status.Snapshot(mappings=(view,), histograms=(histograms,)), "")
    families = text_string_to_metric_families(body.decode())
    return {sample.name: set(sample.labels) for family in families for sample in family.samples}


@pytest.mark.parametrize("expression", [*EXPRESSIONS, *VARIABLES.values()])
def test_every_metric_of_the_board_is_printed(expression: str) -> None:
    """Catches: a metric that was renamed, a counter without its `_total`, a histogram asked for as a gauge."""
    named = set(NAME.findall(expression))
    assert named
    assert named <= set(printed())


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_every_label_of_the_board_is_on_the_metrics_it_is_asked_of(expression: str) -> None:
    """Catches: lag_records by lane, of which there is one a mapping; a misspelt label, which sums all into one line."""
    there = set.intersection(*(printed()[name] for name in NAME.findall(expression)))
    assert words(r"by \(([^)]*)\)", expression) <= there
    assert words(r"(\w+)=~", expression) == {"service", "mapping"}


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"])
def test_a_legend_names_what_its_lines_differ_by(panel: dict[str, Any]) -> None:
    """Catches: `{{lane}}` where lanes are summed up, which Grafana shows as an empty word."""
    for target in panel["targets"]:
        legend = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
        assert legend <= words(r"by \(([^)]*)\)", target["expr"]) - {"le"}, target["refId"]


def test_the_board_asks_for_every_verdict_of_the_balance() -> None:
    """Catches: a verdict that the panel leaves out, so that books which balance are shown in red."""
    (panel,) = [one for one in PANELS if one["title"] == "Balance"]
    (target,) = panel["targets"]
    first, *others = NAME.findall(target["expr"])
    tally = Tally()
    for number, name in enumerate(("polled", *BALANCED), 1):
        setattr(tally, name, number)
    counts = {f"headrace_{name}_events_total": getattr(tally, count) for name, (count, _) in metrics.COUNTERS.items()}
    counts["headrace_in_flight_records"] = tally.in_flight
    assert counts[first] - sum(counts[name] for name in others) == tally.balance
    assert len(others) == len(set(others)) == len(BALANCED)


@pytest.mark.parametrize("expression", [one for one in EXPRESSIONS if "headrace_lag_records" in one])
def test_what_waits_is_summed_over_copies_only_where_each_tells_its_own(expression: str) -> None:
    """Catches: of a topic the copy that is furthest behind instead of all; a queue counted once for each copy."""
    parts = re.findall(
        r'(\w+) by \(service, mapping\) \(headrace_lag_records\{[^}]*, source(!?=)"kafka"\}\)', expression
    )
    assert parts == [("max", "!="), ("sum", "=")]


def test_panels_have_numbers_and_places_of_their_own() -> None:
    """Catches: a panel that was copied with its id, of which Grafana shows one; two in one place."""
    ids = [panel["id"] for panel in PANELS]
    assert len(ids) == len(set(ids))
    taken = [
        (x, y)
        for place in (panel["gridPos"] for panel in PANELS)
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(taken) == len(set(taken))
    assert max(x for x, _ in taken) < 24


def test_the_board_uses_the_source_that_is_provided() -> None:
    """Catches: another uid in either file, so that every panel says that its source was not found."""
    (source,) = SOURCES
    named = [BOARD, *PANELS, *(target for panel in PANELS for target in panel["targets"]), *BOARD["templating"]["list"]]
    asked = {(one["datasource"]["type"], one["datasource"]["uid"]) for one in named if "datasource" in one}
    assert asked == {(source["type"], source["uid"])}


def test_the_source_is_the_scraper_and_the_scraper_asks_headrace() -> None:
    """Catches: a port or a service's name that was changed in docker-compose.yaml only."""
    ((host, port),) = addresses(SOURCES[0]["url"])
    assert host == "prometheus"
    assert port in listens(host)
    (job,) = SCRAPER["scrape_configs"]
    targets = [target for entry in job["static_configs"] for target in entry["targets"]]
    ((host, port),) = addresses(",".join(targets))
    assert host == "headrace"
    assert port in listens(host)
    assert job.get("metrics_path", "/metrics") == "/metrics"
    assert SOURCES[0]["jsonData"]["timeInterval"] == SCRAPER["global"]["scrape_interval"]


def test_grafana_finds_its_files_where_it_looks() -> None:
    """Catches: a mount, a provider's path or a home page that names another folder."""
    places = mounted("grafana")
    (boards,) = [place for place, folder in places.items() if folder == BOARDS]
    (provider,) = yaml.safe_load((BOARDS / "provider.yaml").read_text())["providers"]
    assert provider["options"]["path"] == boards == "/etc/grafana/provisioning/dashboards"
    home = SERVICES["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert home == f"{boards}/headrace.json"
    assert places["/etc/grafana/provisioning/datasources"] == FOLDER / "grafana" / "datasources"
    assert mounted("prometheus") == {"/etc/prometheus/prometheus.yml": FOLDER / "prometheus" / "prometheus.yaml"}

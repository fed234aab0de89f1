"""The transit handbook: its prose with the pages that are made from facts put in their places."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from markup import read_source

Facts = dict[str, Any]


def read_handbook(path: Path) -> tuple[dict[str, str], str]:
    """The text at `path`, each `[[name]]` in it replaced by what the .toml beside it says."""
    meta, body = read_source(path)
    facts = tomllib.loads(path.with_suffix(".toml").read_text(encoding="utf-8"))
    for name, render in RENDERERS.items():
        body = body.replace(f"[[{name}]]", render(facts))
    return meta, body


def _lines(facts: Facts) -> str:
    return "\n\n".join(f"---\n\n{_line(line)}" for line in facts["line"])


def _line(line: Facts) -> str:
    stops = "\n".join(f"{name} | {minute} | {change}" for name, minute, change in line["stops"])
    return f"""## {line["name"]}

{line["text"].strip()}

Table: In brief {{ruled}}
Item | Value
Opened | {line["opened"]}
Kind of line | {line["kind"]}
Length | {line["length"]} km
Running time, end to end | {line["running"]} min
Every … minutes, peak / other times | {line["peak"]} / {line["offpeak"]}
First and last departure | {line["first"]} / {line["last"]}
Depot or base | {line["depot"]}
Vehicles | {line["vehicles"]}
Passengers on a working day | {line["riders"]}

Table: Stops at which lines meet, and termini; minutes from the first stop {{booktabs}}
Stop | Minute | Change to
{stops}"""


def _network(facts: Facts) -> str:
    rows = "\n".join(
        f"{line['name'].split(' · ')[0]} | {line['kind']} | {line['length']} | "
        f"{line['running']} | {line['riders']}"
        for line in facts["line"]
    )
    length = sum(line["length"] for line in facts["line"])
    riders = sum(int(line["riders"].replace(",", "")) for line in facts["line"])
    return f"""Table: The network at a glance (length in km, running time in minutes) {{ruled}}
Line | Kind | Length | Time | Passengers a day
{rows}
= All | | {length:.1f} | – | {riders:,}"""


def _vehicles(facts: Facts) -> str:
    return "\n\n".join(f"---\n\n{_vehicle(vehicle)}" for vehicle in facts["vehicle"])


def _vehicle(vehicle: Facts) -> str:
    unit = " knots" if vehicle["kind"] == "ferry" else " km/h"
    return f"""## {vehicle["name"]} ({vehicle["kind"]})

{vehicle["text"].strip()}

Table: Data of the {vehicle["name"]} class {{ruled}}
Item | Value
Numbers or names | {vehicle["number"]}
Built | {vehicle["built"]}
Length | {vehicle["length"]} m
Width | {vehicle["width"]:.2f} m
Mass, empty | {vehicle["mass"]} t
Seats | {vehicle["seats"]}
Standing places | {vehicle["standing"]}
Highest speed | {vehicle["speed"]}{unit}
Power | {vehicle["power"]}
Doors on each side | {vehicle["doors"]}"""


def _places(kind: str) -> Callable[[Facts], str]:
    return lambda facts: "\n\n".join(f"## {at['name']}\n\n{at['text']}" for at in facts[kind])


def _faults(facts: Facts) -> str:
    return "\n\n".join(
        f"## {fault['group']}\n\nTable: Codes: {fault['group'].lower()} {{ruled}}\n"
        "Code | Meaning | What the driver or master does | Repair\n"
        + "\n".join(" | ".join(row) for row in fault["rows"])
        for fault in facts["fault"]
    )


RENDERERS: dict[str, Callable[[Facts], str]] = {
    "network": _network,
    "lines": _lines,
    "vehicles": _vehicles,
    "stations": _places("station"),
    "depots": _places("depot"),
    "faults": _faults,
}

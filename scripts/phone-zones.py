#!/usr/bin/env python3
"""Writes crates/core/data/phone-zones.txt: which time zones a phone number may be in.

Needs the PyPI package `phonenumbers` (a port of Google's libphonenumber, Apache-2.0, whose
table of prefixes this takes over) and zone.tab and tzdata.zi of the tz database (public
domain; /usr/share/zoneinfo, or the directory given):

    python3 -m venv /tmp/phone-zones && /tmp/phone-zones/bin/pip install phonenumbers
    /tmp/phone-zones/bin/python scripts/phone-zones.py > crates/core/data/phone-zones.txt
"""

import sys
from pathlib import Path

import phonenumbers
from phonenumbers.tzdata import TIMEZONE_DATA

ZONEINFO = Path(sys.argv[1] if len(sys.argv) > 1 else "/usr/share/zoneinfo")
# libphonenumber says so where it knows no zone; such a prefix is left out.
UNKNOWN = "Etc/Unknown"


def countries() -> dict[str, str]:
    """The country of each zone."""
    found = {}
    for line in (ZONEINFO / "zone.tab").read_text().splitlines():
        if line and not line.startswith("#"):
            country, _, zone = line.split("\t")[:3]
            found[zone] = country
    return found


def renamed() -> dict[str, str]:
    """Old names of zones, with the names that they have today."""
    links = {}
    for line in (ZONEINFO / "tzdata.zi").read_text().splitlines():
        if line.startswith("L "):
            _, target, link = line.split()
            links[link] = target
    return links


def main() -> None:
    country_of = countries()
    links = renamed()

    def today(zone: str) -> str:
        return zone if zone in country_of else links.get(zone, zone)

    rows = {
        prefix: tuple(dict.fromkeys(today(zone) for zone in zones if zone != UNKNOWN))
        for prefix, zones in TIMEZONE_DATA.items()
    }
    rows = {prefix: zones for prefix, zones in rows.items() if zones}

    def inherited(prefix: str) -> tuple[str, ...] | None:
        for length in range(len(prefix) - 1, 0, -1):
            if prefix[:length] in rows:
                return rows[prefix[:length]]
        return None

    # A prefix that says what a shorter one says already is not needed.
    rows = {p: z for p, z in rows.items() if inherited(p) != z}
    named = {zone for zones in rows.values() for zone in zones}
    unknown = sorted(named - country_of.keys())
    if unknown:
        sys.exit(f"zones without a country in {ZONEINFO}/zone.tab: {unknown}")
    names = sorted(country_of)
    index = {zone: i for i, zone in enumerate(names)}
    out = sys.stdout
    out.write(
        "# Time zones by the prefix of a phone number. Written by scripts/phone-zones.py; do not edit.\n"
        f"# Prefixes: libphonenumber {phonenumbers.__version__},"
        " Copyright (C) 2011-2026 The Libphonenumber Authors, Apache License 2.0,\n"
        "# https://github.com/google/libphonenumber; changed: put into this form, without redundant rows.\n"
        "# Countries of zones: zone.tab of the tz database, public domain.\n"
        "# First each zone with its country; then each prefix with the places of its zones, from 0.\n"
    )
    for zone in names:
        out.write(f"{zone} {country_of[zone]}\n")
    out.write("\n")
    for prefix in sorted(rows):
        out.write(f"{prefix} {','.join(str(index[zone]) for zone in rows[prefix])}\n")


main()

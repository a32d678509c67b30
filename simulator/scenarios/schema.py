"""The JSON schema of scenario files, made of the very shapes that read them."""

from __future__ import annotations

import json

from simulator.scenarios.scenario import TOP

TITLE = "A scenario of an open toll lane"


def schema_text() -> str:
    """Return the schema as it is published in docs/scenario.schema.json."""
    made = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": TITLE,
        **TOP.schema(),
    }
    return json.dumps(made, ensure_ascii=False, indent=1, sort_keys=False) + "\n"

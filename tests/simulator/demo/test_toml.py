"""Lane files written as TOML are read back as they were."""

from __future__ import annotations

import tomllib

from simulator.demo.toml import toml_text


def test_what_is_written_is_read_back() -> None:
    """Nested tables, small ones in a line, texts with quotes and Chinese, and no null."""
    tables = {
        "lane": {"lane_id": "001", "attended": True, "gap": 2000, "half": 0.5, "none": None},
        "devices": {
            "barrier": {
                "url": 'modbus+tcp://127.0.0.1:502/"x"\\',
                "name": "栏杆机",
                "inputs": {"loop_1": {"channel": 0}, "loop_2": {"channel": 1}, "x": {"channel": 2}},
                "small": {"a": 1, "b": [1, "2"]},
            },
        },
    }
    read = tomllib.loads(toml_text(tables, head="two\nlines"))
    del tables["lane"]["none"]
    assert read == tables


def test_an_empty_table_is_kept() -> None:
    """A table without keys is there as well."""
    assert tomllib.loads(toml_text({"a": {"b": {}}})) == {"a": {"b": {}}}

"""YAML read strictly: what stands there is what is read, and every refusal has its line."""

import pytest

from simulator.scenarios.nodes import (
    DEPTH_MAX,
    PROBLEMS_MAX,
    SIZE_MAX,
    BadScenarioError,
    Items,
    Problem,
    Table,
    Text,
    read_nodes,
)


def refused(text: str) -> list[tuple[int, str]]:
    """Return the lines and words of what is refused in *text*."""
    with pytest.raises(BadScenarioError) as caught:
        read_nodes(text, where="f.yaml")
    return [(each.line, each.what) for each in caught.value.problems]


@pytest.mark.parametrize("text", ["no", "on", "off", "yes", "001", "1e3", "0x10", "~", "null"])
def test_a_plain_word_stays_the_text_it_is(text: str) -> None:
    """No reader's guess turns a word into a truth value, a number or nothing."""
    (entry,) = read_nodes(f"key: {text}", where="f").entries
    assert (entry.value, entry.line) == (Text(line=1, text=text), 1)


def test_tables_and_lists_keep_their_lines() -> None:
    """Every value knows in which line of the file it stands."""
    top = read_nodes("a:\n  - {b: c}\n  - d\ne: 'f'\n", where="f")
    first, second = top.entries
    assert isinstance(first.value, Items)
    inner, word = first.value.items
    assert isinstance(inner, Table)
    assert (inner.line, word.line, second.line) == (2, 3, 4)
    assert second.value == Text(line=4, text="f", quoted=True)


@pytest.mark.parametrize(
    ("text", "line", "word"),
    [
        ("a: &x 1\nb: 2", 1, "anchor"),
        ("b: 2\na: *x", 2, "alias"),
        ("a: !!python/object:os.system 1", 1, "tag"),
        ("a: 1\n---\nb: 2", 2, "second document"),
        ("a: 1\nb: 2\na: 3", 3, "twice; the first is in line 1"),
        ("a: 1\n<<: {b: 2}", 2, "merge key"),
        ("a: 1\n? [b]\n: 2", 2, "key is a word"),
        ("a: b: c", 1, "quotes"),
        ("a: [1, 2\n", 2, "no YAML"),
        ("- a", 1, "scenario: 1"),
        ("just words", 1, "scenario: 1"),
        ("", 1, "scenario: 1"),
        ("a: 1\nb: \x07", 2, "character"),
        ("a: " + "[" * DEPTH_MAX + "]" * DEPTH_MAX, 1, "nested deeper"),
    ],
)
def test_what_is_not_taken_is_refused_with_its_line(text: str, line: int, word: str) -> None:
    """Anchors, tags, double keys and the like are refused where they stand."""
    ((found, what), *_) = refused(text)
    assert (found, word in what) == (line, True), what


def test_a_file_beyond_all_measure_is_refused() -> None:
    """Nobody waits for a file of many megabytes."""
    ((_, what),) = refused("a: " + "x" * SIZE_MAX)
    assert "larger than" in what


def test_an_error_names_file_and_line_and_counts_the_rest() -> None:
    """What a person reads has one line for each problem, and not thousands."""
    problems = tuple(Problem(line=n, what="odd") for n in range(1, PROBLEMS_MAX + 4))
    lines = str(BadScenarioError("f.yaml", problems)).splitlines()
    assert lines[0] == "f.yaml:1: odd"
    assert lines[-1] == "f.yaml: and 3 more"
    assert len(lines) == PROBLEMS_MAX + 1

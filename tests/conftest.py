"""What every test gets: no leaked asyncio task, hypothesis profiles, times per suite."""

from __future__ import annotations

import asyncio
import os
from collections import defaultdict
from collections.abc import Iterator

import hypothesis
import pytest

SLOW_TEST_MIN_S = 0.25
"""A test over this needs `@pytest.mark.slow` (or belongs to a wire suite); only named, never
failed, for a busy machine makes any test slow."""

SUITE_MARKS = ("browser", "postgres", "zbar", "simulation", "long", "kill", "wire", "seeds", "slow")
"""Order decides: a test belongs to the suite of the first of these marks that it carries."""

NOT_ASKED = (hypothesis.HealthCheck.too_slow,)
"""A clock's word on a machine, as a deadline is: in a new tree the first input waits until the
constants of every module were read, which a busy machine makes longer than the check allows."""

hypothesis.settings.register_profile(
    # The same examples each time: a commit never fails for another commit's bug.
    "fast",
    max_examples=50,
    deadline=None,
    derandomize=True,
    suppress_health_check=NOT_ASKED,
)
hypothesis.settings.register_profile(
    "deep", max_examples=2000, deadline=None, print_blob=True, suppress_health_check=NOT_ASKED
)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fast"))

_seconds_of_test: defaultdict[str, float] = defaultdict(float)


@pytest.fixture(autouse=True)
def no_leaked_tasks(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail an asyncio test that leaves tasks alive once its own fixtures are torn down."""
    if request.node.get_closest_marker("asyncio") is None:
        yield
        return
    # pytest-asyncio's own runner: asked for here, it is closed (and would cancel what is
    # left, in silence) only after this fixture has looked.
    runner: asyncio.Runner = request.getfixturevalue("_function_scoped_runner")
    yield
    loop = runner.get_loop()
    # One turn lets tasks end that were cancelled or answered in the last step.
    loop.run_until_complete(asyncio.sleep(0))
    leaked = sorted(task.get_name() for task in asyncio.all_tasks(loop))
    if leaked:
        pytest.fail(f"tasks still alive after the test: {', '.join(leaked)}", pytrace=False)


_suite_of_test: dict[str, str] = {}


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Add up what each test took, with its set-up and tear-down, and note its suite.

    A report crosses from the worker that ran the test, which its item does not.
    """
    _seconds_of_test[report.nodeid] += report.duration
    marks = (mark for mark in SUITE_MARKS if mark in report.keywords)
    _suite_of_test.setdefault(report.nodeid, next(marks, "unit"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the time of each suite and name the unit tests that should be marked slow."""
    if not _seconds_of_test:
        return
    suites: defaultdict[str, list[float]] = defaultdict(list)
    for nodeid, seconds in _seconds_of_test.items():
        suites[_suite_of_test.get(nodeid, "unit")].append(seconds)
    for suite, times in sorted(suites.items()):
        terminalreporter.write_line(f"suite {suite}: {len(times)} tests, {sum(times):.1f} s")
    for nodeid, seconds in sorted(_seconds_of_test.items(), key=lambda pair: -pair[1])[:10]:
        if seconds > SLOW_TEST_MIN_S and _suite_of_test.get(nodeid, "unit") == "unit":
            terminalreporter.write_line(f"  {seconds:.2f} s and not marked slow: {nodeid}")

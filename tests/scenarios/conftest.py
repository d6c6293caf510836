"""Fixtures: a world for each test, or one for a module; its logs are shown when a test fails."""
import pytest

from world import World


@pytest.fixture
def world():
    with World() as one:
        yield one


@pytest.fixture(scope="module")
def module_world():
    with World() as one:
        yield one


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        for value in item.funcargs.values():
            shown = value if isinstance(value, World) else getattr(value, "world", None)
            if isinstance(shown, World) and shown.folder.exists():
                report.sections.append(("logs", shown.logs()))
                break

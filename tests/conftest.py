"""What tests of several folders share: budgets, ceilings, and which of them run every day."""

import signal

import pytest

from tests.budget import load_profile
from tests.waiting import PATIENCE, patient

pytest_plugins = ["tests.kafka.fixtures", "tests.spent"]

# `make test &` in a script hands on an ignored SIGINT, which tests send to the programs that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)

load_profile()


def pytest_report_header(config: pytest.Config) -> str:
    """State how patient this run is."""
    return f"waits: ceilings are multiplied by {PATIENCE:g}, measured at the start (CASCADE_TEST_PATIENCE sets it)"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Stretch the ceilings against hanging, and let property tests run in the deep run as well."""
    usual_s = float(config.getini("timeout"))
    for item in items:
        own = item.get_closest_marker("timeout")
        item.add_marker(pytest.mark.timeout(patient(own.args[0] if own else usual_s)), append=False)
        if getattr(item.obj if isinstance(item, pytest.Function) else None, "is_hypothesis_test", False):
            item.add_marker("sampled")

"""What tests of several folders share."""

from hypothesis import settings

pytest_plugins = ["tests.kafka.fixtures"]

# A busy machine is no failure: how long something takes is measured elsewhere.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

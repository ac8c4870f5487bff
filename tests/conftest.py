"""What tests of several folders share."""

import signal

from hypothesis import settings

pytest_plugins = ["tests.kafka.fixtures"]

# `make test &` in a script hands on an ignored SIGINT, which tests send to the programs that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)

# A busy machine is no failure: how long something takes is measured elsewhere.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

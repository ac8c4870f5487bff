"""What tests of several folders share."""

pytest_plugins = ["tests.kafka.fixtures"]

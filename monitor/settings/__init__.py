"""Defines the settings tree (:class:`Settings`) and reads it from a YAML file, secret files and the environment."""

from monitor.bus.kafka.settings import KafkaSettings
from monitor.settings.load import SettingsError, load
from monitor.settings.tree import (
    BusSettings,
    CollectorSettings,
    DeliverySettings,
    LogSettings,
    MemorySettings,
    Role,
    Settings,
    VenueSettings,
)

__all__ = [
    "BusSettings",
    "CollectorSettings",
    "DeliverySettings",
    "KafkaSettings",
    "LogSettings",
    "MemorySettings",
    "Role",
    "Settings",
    "SettingsError",
    "VenueSettings",
    "load",
]

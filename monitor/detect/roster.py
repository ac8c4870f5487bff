"""Roster of the assets: which are awake, which changed, and which are in quarantine for a fault of their own."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from typing import Final

import msgspec

from monitor.detect.asset import Asset
from monitor.detect.asset_state import AssetSnapshot
from monitor.detect.asset_summary import AssetSummary, silent_summary
from monitor.detect.decide.visibility import Feeds
from monitor.detect.quarantine import STEPPED_BACK, Quarantine, QuarantineState, ended
from monitor.detect.scope_state import Wake
from monitor.detect.settings import DetectorSettings
from monitor.model.events import Event
from monitor.model.signals import Signal

DAMAGE: Final = (
    msgspec.MsgspecError,
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)
"""Errors that decoding and restoring a damaged snapshot may raise."""

OnDamaged = Callable[[str, Exception], None]
"""``on_damaged(name, error)`` is called with an asset whose part of a snapshot cannot be read."""


class RosterState(msgspec.Struct):
    """State of a roster besides its assets.

    Attributes:
        awake: names of the assets with a second to close.
        summaries: reports to the market that were not taken yet.
        quarantine: names in quarantine, and the faults that led to it.
    """

    awake: list[str]
    summaries: list[AssetSummary]
    quarantine: QuarantineState


class Roster:
    """Assets by name.

    Attributes:
        assets: all that are followed.
        changed: names of those that a snapshot since the last one would show differently, as keys.
        quarantine: names whose records are passed over for a while.
    """

    def __init__(self, settings: DetectorSettings) -> None:
        self.assets: dict[str, Asset] = {}
        self.changed: dict[str, None] = {}
        self.quarantine = Quarantine()
        self._settings = settings
        self._awake: dict[str, Asset] = {}
        self._summaries: list[AssetSummary] = []

    def opened(self, name: str, second: int) -> Asset:
        """Return an asset with the current second open; it is made when its first event comes.

        Raises:
            QuarantinedError: the asset is in quarantine.
        """
        asset = self.assets.get(name)
        if asset is None:
            asset = self._new_asset(name, second)
        if asset.state.opened != second:
            asset.open(second)
            self._awake[name] = asset
            self.changed[name] = None
        return asset

    def _new_asset(self, name: str, second: int) -> Asset:
        self.quarantine.admit(name, second)
        asset = self.assets[name] = Asset(name, self._settings)
        asset.scope.state.finished = self.quarantine.finished.pop(name, [])
        return asset

    def set_aside(self, name: str, second: int, error: Exception, event: Event | None = None) -> None:
        """Quarantine an asset for what it raised; the market receives it as calm."""
        asset = self.assets.pop(name, None)
        self.quarantine.begin(None if asset is None else asset.scope, name, second, error, event)
        self._awake.pop(name, None)
        self.changed.pop(name, None)
        self._summaries.append(silent_summary(name, second))

    def wakes(self) -> list[Wake]:
        """Return by awake asset which second it must close next."""
        return [asset.scope.state.wake for asset in self._awake.values()]

    def close(self, second: int, feeds: Feeds) -> list[Signal]:
        """Close a second of every asset that is due and return the signals; an asset that raises is set aside."""
        signals: list[Signal] = []
        for asset in list(self._awake.values()):
            if asset.scope.is_due(second):
                try:
                    signals += self._close_asset(asset, second, feeds)
                except Exception as error:  # noqa: BLE001  # whatever it is, it is this asset's alone
                    self.set_aside(asset.name, second, error)
                    continue
            if asset.scope.state.wake is Wake.ASLEEP:
                del self._awake[asset.name]
        return signals

    def _close_asset(self, asset: Asset, second: int, feeds: Feeds) -> list[Signal]:
        signals = asset.close(second, feeds)
        self.changed[asset.name] = None
        summary = asset.summary()
        if summary is not None:
            self._summaries.append(summary)
        return signals

    def take_summaries(self) -> list[AssetSummary]:
        """Return the assets' reports to the market since the last call."""
        summaries, self._summaries = self._summaries, []
        return summaries

    def step_back(self, second: int) -> list[Signal]:
        """Make every asset anew that was opened after ``second``, and return the signals that end its episodes."""
        signals: list[Signal] = []
        for name, asset in list(self.assets.items()):
            if max(asset.state.opened, asset.scope.state.second) > second:
                signals += ended(asset.scope, second, STEPPED_BACK)
                fresh = self.assets[name] = Asset(name, self._settings)
                fresh.scope.state.finished = asset.scope.state.finished
                self._awake.pop(name, None)
                self.changed[name] = None
        self._summaries = [summary for summary in self._summaries if summary.second <= second]
        self.quarantine.step_back(second)
        return signals

    def state(self) -> RosterState:
        """Return what the common part of a snapshot stores."""
        return RosterState(awake=list(self._awake), summaries=self._summaries, quarantine=self.quarantine.state())

    def loading(
        self, state: RosterState, assets: Mapping[str, bytes], on_damaged: OnDamaged | None = None
    ) -> Generator[None, None, None]:
        """Restore what :meth:`state` returned with each asset's own part of the snapshot, one asset a step.

        Args:
            state: the part that all assets have in common.
            assets: their own parts by name.
            on_damaged: called with an asset whose part cannot be read; without it, that raises.

        Raises:
            ValueError: a part is damaged or missing, and there is no ``on_damaged``.
        """
        self._summaries = state.summaries
        self.quarantine.load(state.quarantine)
        for name, kept in assets.items():
            try:
                self._load_asset(name, kept)
            except DAMAGE as error:
                if on_damaged is None:
                    raise ValueError(f"{name}: {error!r}") from error
                on_damaged(name, error)
            yield
        missing = [name for name in state.awake if name not in self.assets]
        if missing and on_damaged is None:
            raise ValueError(f"no part of {', '.join(missing)}")
        self._awake = {name: self.assets[name] for name in state.awake if name in self.assets}

    def _load_asset(self, name: str, kept: bytes) -> None:
        if name in self.quarantine.until:
            return  # its last part is from before the fault
        asset = Asset(name, self._settings)
        asset.restore(msgspec.msgpack.decode(kept, type=AssetSnapshot))
        self.assets[name] = asset

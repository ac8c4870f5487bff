from __future__ import annotations

from monitor.lab.simulate.ledger import Amount, Entry, Ledger, by_side

LONG, SHORT = Entry("BTCUSDT", "long", 7), Entry("ETHUSDT", "short", 5)


def test_ledger_tells_executed_shown_and_delivered_apart() -> None:
    """What was executed, let through, and written to somebody are three different sums."""
    ledger = Ledger()
    for entry in (LONG, LONG, SHORT):
        ledger.execute(entry)
    first, second = ledger.show(LONG), ledger.show(SHORT)
    assert ledger.executed == {("BTCUSDT", "long"): Amount(2, 14), ("ETHUSDT", "short"): Amount(1, 5)}
    assert ledger.shown == {("BTCUSDT", "long"): Amount(1, 7), ("ETHUSDT", "short"): Amount(1, 5)}
    assert ledger.delivered == {}
    first.clients.update((1, 2))
    second.clients.add(2)
    assert ledger.delivered == ledger.shown
    assert ledger.delivered_to(1) == {("BTCUSDT", "long"): Amount(1, 7)}


def test_sides_are_summed_over_symbols() -> None:
    """Both sides are always there, also when one has nothing."""
    ledger = Ledger()
    assert by_side(ledger.executed) == {"long": Amount(0, 0), "short": Amount(0, 0)}
    ledger.execute(LONG)
    ledger.execute(Entry("ETHUSDT", "long", 3))
    assert by_side(ledger.executed) == {"long": Amount(2, 10), "short": Amount(0, 0)}

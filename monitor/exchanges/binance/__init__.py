"""Adapters of Binance USD-M, Binance COIN-M and Aster, which share one message format."""

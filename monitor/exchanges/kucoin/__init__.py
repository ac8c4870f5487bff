"""Adapter of KuCoin Futures."""

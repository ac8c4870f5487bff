"""The adapter of KuCoin Futures."""

"""The adapter of Binance USD-M, Binance COIN-M and Aster, which use one dialect."""

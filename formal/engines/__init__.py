"""The proof engines, and the programs behind them."""

"""Serving: endpoints, the model servers behind them, and the inference tables that keep every request and response."""

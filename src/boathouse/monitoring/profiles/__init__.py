"""Monitors of tables: what their columns hold window by window, and how that changes, as two tables of metrics."""

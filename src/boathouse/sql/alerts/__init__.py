"""Alerts: a query whose result is compared with a threshold, on a schedule, and who is told."""

"""Declarative pipelines: datasets, flows, expectations, updates and their event log."""

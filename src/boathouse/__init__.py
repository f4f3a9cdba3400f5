"""Boathouse: an open, self-hosted lakehouse MLOps platform."""

__version__ = "0.1.0"

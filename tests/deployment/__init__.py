"""Deployment jobs."""

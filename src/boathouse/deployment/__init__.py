"""Deployment: the job that a registered model is connected to, what its steps found, who approved, and the way back.

``steps`` is for the code of such jobs: ``from boathouse.deployment import steps``.
"""

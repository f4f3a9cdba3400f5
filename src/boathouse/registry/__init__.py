"""Registered models and versions over MLflow's registry, as securables, and the rules of runs and experiments.

MLflow keeps what it knows (experiments, runs, versions, aliases, tags) in tables of its own; owner and grants of a model are the
catalog's. Both are joined in subclasses of MLflow's stores, so that they hold for every client and every path.
"""

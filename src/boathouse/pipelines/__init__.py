"""Declarative pipelines: datasets, flows, expectations, updates and their event log.

What a pipeline declares is read in ``source``, made a plan in ``planning``, and carried out in ``running``, by a process for each
update. Beside them stands the server's side: ``endpoints`` over ``service`` over ``repository``, and ``runtime``, which starts the
processes and records what they tell.
"""

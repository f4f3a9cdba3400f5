"""The Spark Connect gateway: authenticates, routes, governs names and paths, and passes everything else through.

The way of a request: ``server`` takes it, ``execution`` makes its answers, ``governor`` looks at its plan. There ``sql`` takes
texts apart, ``names`` and ``paths`` put what the principal may see in the place of what was named, ``forms`` writes what the
engine does not read as what it does, ``answers`` is for statements that no engine answers, ``writes`` and ``streams`` are for
what changes tables. ``operations`` keeps it for its client, and ``traces`` tells the history. What a room imports lies below it;
import-linter holds the order.
"""

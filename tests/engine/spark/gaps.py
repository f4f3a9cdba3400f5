"""What does not work with Apache Spark as the engine, test by test. Each one is run, and has to fail.

`NOTIMPL`: Spark or Delta has no such thing. `NOTYET`: the gateway could do it and does not. `NEVER`: it is another engine's way.
"""

NOTIMPL, NOTYET, NEVER = "notimpl", "notyet", "never"

GAPS: dict[str, tuple[str, str]] = {}
"""`file::Class::test[parameter]`, or without what stands in brackets -> kind and reason."""

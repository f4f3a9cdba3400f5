"""Fetches what the tests need from Maven Central, beside whatever else is made: no test waits for it then. `python -m tests.jars`."""

import subprocess
from contextlib import suppress

import pytest

from tests.engine.spark.runtime import fetched, jars
from tests.engine.streaming import broker

if __name__ == "__main__":
    # Without Java the tests are skipped, and what cannot be fetched now is tried again by them.
    with suppress(pytest.skip.Exception, subprocess.SubprocessError):
        jars()
        fetched(broker.POM, "kafka", "Kafka")

"""Open a Delta table that others may be writing.

Whoever lists a log while commits come in may see a later one and not the one before it, or a commit's checksum and not the commit:
folders are not listed in one moment. The next listing has both.
"""

import re
import time
from pathlib import Path

from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

ATTEMPTS = 6
"""If files are really missing, it must not take long to say so: half a second in all."""
_TORN = re.compile(
    r"Missing commit file: expected (?:final )?version|Expected contiguous commit files, but found gap"
    r"|CRC file version \d+ is newer than log segment"
)


def is_torn(message: str) -> bool:
    """Whether an error of delta-rs or of the engine tells of a log that was listed while it was written."""
    return _TORN.search(message) is not None


def wait_before(attempt: int) -> None:
    """Let the writers write before another attempt at a log, the first of which is 1."""
    time.sleep(0.015 * 2 ** (attempt - 1))


def opened(folder: Path) -> DeltaTable:
    """The newest version of the table in a folder.

    Raises:
        DeltaError: If there is none, or its log is not whole.
    """
    for attempt in range(1, ATTEMPTS):
        try:
            return DeltaTable(folder)
        except DeltaError as error:
            if not is_torn(str(error)):
                raise
        wait_before(attempt)
    return DeltaTable(folder)

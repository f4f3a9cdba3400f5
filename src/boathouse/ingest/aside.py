"""Records that were set aside, written down: ``badRecordsPath``."""

import json
from collections.abc import Sequence
from pathlib import Path

from boathouse.ingest.reading import BadRecord


def write_bad(bad: Sequence[BadRecord], folder: Path) -> None:
    """Write down records that were set aside; a batch that is done again writes the same file again.

    Args:
        bad: With their paths, lines and reasons.
        folder: Of the batch; the file is ``bad_records/part-00000`` in it, one JSON object a line.
    """
    if not bad:
        return
    place = folder / "bad_records"
    place.mkdir(parents=True, exist_ok=True)
    unfinished = place / ".part-00000"
    with unfinished.open("w") as stream:
        for one in bad:
            values = {"path": one.path, "line": one.line, "reason": one.reason, "record": one.record}
            stream.write(json.dumps(values, ensure_ascii=False) + "\n")
    unfinished.replace(place / "part-00000")

"""Taking files away that were read long enough ago: ``cloudFiles.cleanSource``."""

import shutil
import time
from pathlib import Path

from boathouse.ingest.options import Options
from boathouse.ingest.paths import Place, inside
from boathouse.ingest.state import FileLog

_AT_A_TIME = 1000


def clean(log: FileLog, place: Place, options: Options, destination: Path | None) -> None:
    """Delete or move files whose rows were committed before the retention; those that have changed since stay."""
    now = time.time()
    gone: list[int] = []
    for one in log.to_clean(int((now - options.clean_after) * 1000), _AT_A_TIME):
        path = inside(place, one.path)
        try:
            unchanged = path.stat().st_mtime_ns == one.modified_ns
        except FileNotFoundError:
            gone.append(one.number)
            continue
        if not unchanged:
            continue
        if destination is None:
            path.unlink()
        else:
            target = destination / one.path
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(path, target)
        gone.append(one.number)
    log.cleaned(gone, int(now * 1000))

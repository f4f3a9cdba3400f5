"""Feature specs that the server answers itself."""

import json
from pathlib import Path

from boathouse.features.api import FeatureSpec
from boathouse.features.online import ALWAYS, OnlineMeta, pack_key, pack_value
from boathouse.features.online_lmdb import LmdbTarget
from boathouse.serving.look_ups import INLINE_BYTES, LookUps
from tests.loops import in_a_loop

SPEC = FeatureSpec.parse({"lookups": [{"table": "main.a.t", "lookup_key": "id", "features": ["one", "two"]}]})
META = OnlineMeta("main.a.t", "0", 1, ("id",), ("integer",), None, None, ("one", "two"))


def asked(served: LookUps, *keys: int) -> tuple[int, dict[str, object]]:
    body = json.dumps({"dataframe_records": [{"id": key} for key in keys]}).encode()
    status, answer = in_a_loop(served.ask(body))
    return status, json.loads(answer)


def test_large_requests_are_answered_like_small_ones(tmp_path: Path) -> None:
    rows = [(pack_key([key]), 0, ALWAYS, pack_value([key, float("nan")])) for key in range(5000)]
    LmdbTarget(tmp_path / "t.mdb").write(META, rows, replace=True)
    served = LookUps(SPEC, [{"name": "main.a.t_online", "place": str(tmp_path / "t.mdb")}], tmp_path / "log")
    assert asked(served, 7) == (200, {"outputs": [{"one": 7, "two": None}]})
    assert 5000 * len('{"id": 1}') > INLINE_BYTES
    assert asked(served, *range(5000)) == (200, {"outputs": [{"one": key, "two": None} for key in range(5000)]})
    assert served.facts["request_columns"] == ["id"]


def test_what_nobody_expected_is_in_the_log(tmp_path: Path) -> None:
    LmdbTarget(tmp_path / "t.mdb").write(META, [(pack_key([1]), 0, ALWAYS, b"\xc1")], replace=True)
    served = LookUps(SPEC, [{"name": "main.a.t_online", "place": str(tmp_path / "t.mdb")}], tmp_path / "log")
    status, answer = asked(served, 1)
    assert (status, answer["error_code"]) == (500, "INTERNAL_ERROR")
    assert "The served model's log has the details" in str(answer["message"])
    assert "Traceback" in (tmp_path / "log").read_text()
    assert asked(served, 2) == (200, {"outputs": [{"one": None, "two": None}]})

"""Temporary credentials of a real S3-compatible server."""

import json
import time

import pytest
from botocore.exceptions import ClientError

from boathouse.errors import InvalidParameterValue
from boathouse.storage import s3
from boathouse.storage.errors import LendingRefused, StoreUnreachable
from tests.object_store import BUCKET, EVERYTHING, ObjectStore


def keys_of(lent: s3.Lent) -> dict[str, str]:
    return {
        "access_key_id": lent.access_key_id,
        "secret_access_key": lent.secret_access_key,
        "session_token": lent.session_token,
    }


def may(call) -> bool:
    try:
        call()
    except ClientError as error:
        return error.response["Error"]["Code"] != "AccessDenied"
    return True


def test_what_a_policy_says() -> None:
    assert s3.session_policy("s3://b/a/t", write=False, partition="aws-cn")["Statement"] == [
        {
            "Effect": "Allow",
            "Action": ["s3:GetObject", "s3:GetObjectVersion"],
            "Resource": ["arn:aws-cn:s3:::b/a/t/*"],
        },
        {
            "Effect": "Allow",
            "Action": ["s3:ListBucket"],
            "Resource": ["arn:aws-cn:s3:::b"],
            "Condition": {"StringLike": {"s3:prefix": ["a/t", "a/t/", "a/t/*"]}},
        },
        {"Effect": "Allow", "Action": ["s3:GetBucketLocation"], "Resource": ["arn:aws-cn:s3:::b"]},
    ]
    whole = s3.session_policy("s3://b", write=True)["Statement"]
    assert whole[0]["Resource"] == ["arn:aws:s3:::b/*"]
    assert {"s3:PutObject", "s3:DeleteObject"} < set(whole[0]["Action"])
    assert "Condition" not in whole[1]


@pytest.mark.parametrize("url", ["s3://b/a*", "s3://b/a?", "s3://b/${aws:username}"])
def test_a_location_that_a_policy_would_read_otherwise_is_refused(url: str) -> None:
    with pytest.raises(InvalidParameterValue, match="wildcards"):
        s3.session_policy(url, write=False)


def test_lent_keys_open_one_prefix(store: ObjectStore) -> None:
    before = time.time() * 1000
    reading = s3.lend(f"s3://{BUCKET}/scope/t", store.credential, write=False, session_name="reader")
    read_policy = json.loads(store.assumptions()[-1]["Policy"])
    writing = s3.lend(f"s3://{BUCKET}/scope/t", store.credential, write=True, session_name="writer")
    asked = store.assumptions()[-1]
    assert (asked["RoleArn"], asked["RoleSessionName"], asked["DurationSeconds"]) == (store.role_arn, "writer", "3600")
    assert json.loads(asked["Policy"]) == s3.session_policy(f"s3://{BUCKET}/scope/t", write=True)
    for lent in (reading, writing):
        assert lent.endpoint == store.url
        assert before + 3_500_000 < lent.expires_at < before + 3_700_000
        assert lent.secret_access_key not in repr(lent)
    try:
        store.limit_role(json.loads(asked["Policy"]))
        keys, path = store.client("s3", keys_of(writing)), {"Bucket": BUCKET, "Key": "scope/t/x"}
        assert may(lambda: keys.put_object(**path, Body=b"1"))
        assert may(lambda: keys.get_object(**path))
        for other in ("scope/t2/x", "scope/x", "x"):
            assert not may(lambda key=other: keys.put_object(Bucket=BUCKET, Key=key, Body=b"1"))
            assert not may(lambda key=other: keys.get_object(Bucket=BUCKET, Key=key))
        store.limit_role(read_policy)
        keys = store.client("s3", keys_of(reading))
        assert may(lambda: keys.get_object(**path))
        assert not may(lambda: keys.put_object(**path, Body=b"1"))
        assert not may(lambda: keys.delete_object(**path))
    finally:
        store.limit_role(EVERYTHING)


def test_a_role_with_the_servers_own_keys(store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", store.url)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    values = {"role_arn": store.role_arn, "external_id": "e1"}
    with pytest.raises(LendingRefused, match="AWS_ACCESS_KEY_ID"):
        s3.lend(f"s3://{BUCKET}/t", values, write=False, session_name="own")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", store.key_id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", store.secret)
    lent = s3.lend(f"s3://{BUCKET}/t", values, write=False, session_name="own")
    assert lent.endpoint is None
    assert store.assumptions()[-1]["ExternalId"] == "e1"


def test_what_is_wrong_is_named_without_secrets(store: ObjectStore) -> None:
    wrong = {"secret_access_key": "a wrong secret"}
    for change, error, what in (
        (wrong, LendingRefused, "SignatureDoesNotMatch"),
        ({"role_arn": "r"}, LendingRefused, "role_arn"),
        ({"endpoint": "not a URL"}, LendingRefused, "endpoint"),
        ({"endpoint": "http://127.0.0.1:9"}, StoreUnreachable, "EndpointConnectionError"),
        ({"endpoint": "", "role_arn": ""}, LendingRefused, "role_arn"),
    ):
        with pytest.raises(error, match=what) as raised:
            s3.lend(f"s3://{BUCKET}/t", store.credential | change, write=False, session_name="nobody")
        assert store.secret not in str(raised.value)
        assert "a wrong secret" not in str(raised.value)

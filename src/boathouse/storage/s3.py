"""Credentials of an S3 store for one prefix and one hour: AssumeRole with a session policy."""

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from boathouse.errors import InvalidParameterValue
from boathouse.storage.errors import LendingRefused, LibraryMissing, StoreUnreachable

SECONDS = 3600
"""How long they hold."""

CONNECT_SECONDS = 5
READ_SECONDS = 10
_ANY_ROLE = "arn:aws:iam::000000000000:role/boathouse"
"""What is asked of a store that assumes the key's own user whatever the role is."""

_READ = ("s3:GetObject", "s3:GetObjectVersion")
_WRITE = ("s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts")


@dataclass(frozen=True)
class Lent:
    """Temporary keys; ``expires_at`` is in ms since the epoch, ``endpoint`` None for Amazon's own."""

    access_key_id: str = field(repr=False)
    secret_access_key: str = field(repr=False)
    session_token: str = field(repr=False)
    expires_at: int
    endpoint: str | None


def session_policy(url: str, *, write: bool, partition: str = "aws") -> dict[str, Any]:
    """What may be done with a prefix, as an IAM policy: it limits whatever the role itself may do.

    Args:
        url: ``s3://bucket/prefix``, canonical.
        write: Whether objects may be written and deleted too.
        partition: Of the ARNs: ``aws``, ``aws-cn``, ``aws-us-gov``.

    Raises:
        InvalidParameterValue: If the URL has characters that a policy reads as wildcards or variables.
    """
    if set(url) & set("*?$"):
        message = (
            f"For the location '{url}' no credentials can be lent: '*', '?' and '$' are wildcards in the store's policies."
        )
        raise InvalidParameterValue(message, field="url")
    bucket, _, prefix = url.removeprefix("s3://").partition("/")
    arn = f"arn:{partition}:s3:::{bucket}"
    listing: dict[str, Any] = {"Effect": "Allow", "Action": ["s3:ListBucket"], "Resource": [arn]}
    if prefix:
        listing["Condition"] = {"StringLike": {"s3:prefix": [prefix, f"{prefix}/", f"{prefix}/*"]}}
    objects = {
        "Effect": "Allow",
        "Action": [*_READ, *(_WRITE if write else ())],
        "Resource": [f"{arn}/{prefix}/*" if prefix else f"{arn}/*"],
    }
    location = {"Effect": "Allow", "Action": ["s3:GetBucketLocation"], "Resource": [arn]}
    return {"Version": "2012-10-17", "Statement": [objects, listing, location]}


def lend(url: str, values: Mapping[str, str], *, write: bool, session_name: str) -> Lent:
    """Ask the store's token service for credentials that open one prefix for an hour.

    Args:
        url: ``s3://bucket/prefix``, canonical.
        values: Fields of the storage credential: ``role_arn`` and if need be ``external_id``; ``access_key_id`` and
            ``secret_access_key`` where the server's own keys are not to be used; ``endpoint`` of a store that is not
            Amazon's, ``sts_endpoint`` where its token service has another address; ``region``.
        write: Whether writing is allowed too.
        session_name: Shown in the store's own log.

    Raises:
        InvalidParameterValue: If the URL cannot be put into a policy.
        LendingRefused: If the store says no, or there is no role to assume.
        StoreUnreachable: If it does not answer.
        LibraryMissing: If boto3 is not installed.
    """
    endpoint = values.get("endpoint")
    role = values.get("role_arn") or (_ANY_ROLE if endpoint else None)
    if role is None:
        raise LendingRefused("the credential has no role_arn")
    partition = role.split(":")[1] if role.startswith("arn:") else "aws"
    request: dict[str, Any] = {
        "RoleArn": role,
        "RoleSessionName": session_name,
        "DurationSeconds": SECONDS,
        "Policy": json.dumps(session_policy(url, write=write, partition=partition), separators=(",", ":")),
    }
    if values.get("external_id"):
        request["ExternalId"] = values["external_id"]
    keys = _assume(request, values)
    expires: dt.datetime = keys["Expiration"]
    return Lent(
        access_key_id=keys["AccessKeyId"],
        secret_access_key=keys["SecretAccessKey"],
        session_token=keys["SessionToken"],
        expires_at=int(expires.timestamp() * 1000),
        endpoint=endpoint,
    )


def _assume(request: Mapping[str, Any], values: Mapping[str, str]) -> dict[str, Any]:
    try:
        # Loaded at the first use: it is optional, and most servers never lend anything.
        from boto3.session import Session  # noqa: PLC0415
        from botocore.config import Config  # noqa: PLC0415
        from botocore.exceptions import (  # noqa: PLC0415
            BotoCoreError,
            ClientError,
            NoCredentialsError,
            ParamValidationError,
        )
    except ImportError as error:
        raise LibraryMissing from error
    config = Config(
        connect_timeout=CONNECT_SECONDS, read_timeout=READ_SECONDS, retries={"total_max_attempts": 2, "mode": "standard"}
    )
    try:
        client: Any = Session().client(
            "sts",
            region_name=values.get("region") or "us-east-1",
            endpoint_url=values.get("sts_endpoint") or values.get("endpoint"),
            aws_access_key_id=values.get("access_key_id"),
            aws_secret_access_key=values.get("secret_access_key"),
            aws_session_token=values.get("session_token"),
            config=config,
        )
        return client.assume_role(**request)["Credentials"]
    except ClientError as error:
        raise LendingRefused(str(error.response.get("Error", {}).get("Code", "no reason given"))) from None
    except NoCredentialsError:
        raise LendingRefused("the server has no keys of its own: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY") from None
    except (ParamValidationError, ValueError):
        raise LendingRefused("role_arn, endpoint or region is not valid") from None
    except BotoCoreError as error:
        raise StoreUnreachable(type(error).__name__) from None

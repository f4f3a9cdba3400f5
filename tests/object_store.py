"""A real S3-compatible server process with a token service and access rules: moto's."""

import json
import socket
import subprocess
import sys
import time
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import boto3
import httpx

REGION = "us-east-1"
BUCKET = "lake"
ROLE = "lender"
EVERYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
START_SECONDS = 60


@dataclass(frozen=True)
class ObjectStore:
    """A running store.

    Attributes:
        url: Of S3, the token service and IAM alike.
        key_id: Of a user that may do everything.
        secret: Its secret key.
        role_arn: A role that this user may assume, and that may do everything with S3.
        recording: Where the store writes what it is asked.
    """

    url: str
    key_id: str
    secret: str
    role_arn: str
    recording: Path

    def client(self, service: str, keys: dict[str, Any] | None = None) -> Any:
        """A client of the user, or of vended keys."""
        keys = keys or {"access_key_id": self.key_id, "secret_access_key": self.secret}
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id=keys["access_key_id"],
            aws_secret_access_key=keys["secret_access_key"],
            aws_session_token=keys.get("session_token"),
        )

    @property
    def credential(self) -> dict[str, str]:
        """The fields of a storage credential of kind ``aws_access_key``."""
        return {
            "access_key_id": self.key_id,
            "secret_access_key": self.secret,
            "endpoint": self.url,
            "region": REGION,
            "role_arn": self.role_arn,
        }

    def assumptions(self) -> list[dict[str, str]]:
        """The parameters of every AssumeRole so far."""
        requests = [json.loads(line) for line in self.recording.read_text().splitlines()]
        bodies = [b64decode(one["body"]) for one in requests if "/sts/" in one["headers"].get("Authorization", "")]
        return [dict(parse_qsl(body.decode())) for body in bodies]

    def limit_role(self, policy: dict[str, Any]) -> None:
        """Let the role do what a policy says and nothing else.

        The store takes a session policy but does not apply it to a request. As the role's own policy it does: so a test sees
        what the policy that was sent allows.
        """
        self.client("iam").put_role_policy(RoleName=ROLE, PolicyName="all", PolicyDocument=json.dumps(policy))


@contextmanager
def object_store(folder: Path) -> Iterator[ObjectStore]:
    """A store for as long as the block runs."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url, recording = f"http://127.0.0.1:{port}", folder / "requests.jsonl"
    with (folder / "store.out").open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
            stdout=out,
            stderr=subprocess.STDOUT,
            env={"MOTO_RECORDER_FILEPATH": str(recording), "PATH": "/usr/bin:/bin"},
        )
    try:
        yield _prepared(process, url, recording)
    finally:
        process.terminate()
        process.wait(timeout=10)


def _prepared(process: subprocess.Popen[bytes], url: str, recording: Path) -> ObjectStore:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            httpx.post(f"{url}/moto-api/recorder/start-recording").raise_for_status()
            break
        except httpx.TransportError:
            assert process.poll() is None, "the store did not start"
            assert time.monotonic() < deadline, "the store did not start"
            time.sleep(0.05)
    anybody = ObjectStore(url, "anybody", "anything", "", recording)
    anybody.client("s3").create_bucket(Bucket=BUCKET)
    iam = anybody.client("iam")
    iam.create_user(UserName="boathouse")
    iam.put_user_policy(UserName="boathouse", PolicyName="all", PolicyDocument=json.dumps(EVERYTHING))
    key = iam.create_access_key(UserName="boathouse")["AccessKey"]
    trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "*"}}]}
    role = iam.create_role(RoleName=ROLE, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    iam.put_role_policy(RoleName=ROLE, PolicyName="all", PolicyDocument=json.dumps(EVERYTHING))
    # From here on the store checks signatures and policies.
    httpx.post(f"{url}/moto-api/reset-auth", content=b"0").raise_for_status()
    return ObjectStore(url, key["AccessKeyId"], key["SecretAccessKey"], role, recording)

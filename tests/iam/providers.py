"""OpenID providers as processes."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(*command: str, port: int) -> Iterator[str]:
    """A provider for as long as the block runs; gives its issuer."""
    process = subprocess.Popen([sys.executable, *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    issuer = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 120
        while True:
            try:
                httpx.get(f"{issuer}/.well-known/openid-configuration").raise_for_status()
                break
            except httpx.HTTPError:
                assert process.poll() is None, "the provider ended"
                assert time.monotonic() < deadline, "the provider does not answer"
                time.sleep(0.05)
        yield issuer
    finally:
        process.terminate()
        process.wait(timeout=10)


@contextmanager
def faulty() -> Iterator[str]:
    """The provider that breaks rules when it is told to."""
    port = free_port()
    with running(str(Path(__file__).parent / "faulty_provider.py"), str(port), port=port) as issuer:
        yield issuer


@contextmanager
def mock(*arguments: str) -> Iterator[str]:
    """oidc-provider-mock."""
    port = free_port()
    with running("-m", "oidc_provider_mock", "--port", str(port), *arguments, port=port) as issuer:
        yield issuer

"""Waiting for sockets with descriptors of any number."""

import fcntl
import os
import resource
import socket

from boathouse.kit.readable import readable


def test_descriptors_above_1023() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2048), hard))
    try:
        one, other = socket.socketpair()
        with one, other:
            high = socket.socket(fileno=fcntl.fcntl(one.fileno(), fcntl.F_DUPFD, 1500))
            with high:
                assert high.fileno() >= 1500
                assert readable(high, seconds=0) == []
                other.send(b"x")
                assert readable(high, other, seconds=5) == [high]
                os.read(high.fileno(), 1)
                other.close()
                assert readable(high) == [high]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

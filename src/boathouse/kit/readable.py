"""Waiting for sockets."""

import select
import socket


def readable(*sockets: socket.socket, seconds: float | None = None) -> list[socket.socket]:
    """Those of some sockets that have something to read, or whose other end is gone.

    Unlike ``select.select`` this takes descriptors above 1023, which processes with many connections have; unlike epoll it has no descriptor of
    its own, which forks would inherit.

    Args:
        sockets: Which.
        seconds: How long to wait for the first; None for as long as it takes.
    """
    waiting = select.poll()
    for one in sockets:
        waiting.register(one, select.POLLIN)
    found = {number for number, _ in waiting.poll(None if seconds is None else seconds * 1000)}
    return [one for one in sockets if one.fileno() in found]

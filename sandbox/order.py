"""A job on its way into a box: one message over a socket, carrying an anonymous file with the job as JSON."""

import json
import os
import socket
from typing import Any

_MESSAGE = 64


def send(order: socket.socket, request: int) -> None:
    """Hand a request's descriptor on. OSError when nobody is there."""
    socket.send_fds(order, [b"run"], [request], socket.MSG_DONTWAIT)


def receive(order: socket.socket) -> int | None:
    """Wait for a descriptor; None when the other side has gone."""
    message, descriptors, _, _ = socket.recv_fds(order, _MESSAGE, 1)
    return descriptors[0] if message else None


def read(request: int) -> dict[str, Any]:
    """What the file says; every holder of the descriptor may read it."""
    content: dict[str, Any] = json.loads(os.pread(request, os.fstat(request).st_size, 0))
    return content

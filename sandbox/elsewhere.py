"""Sandboxes that are not a level of this machine: containers and rented machines, from values that the user has set."""

import re
from dataclasses import dataclass
from typing import Literal

from pydantic import SecretStr

from sandbox.base import Sandbox, SandboxUnavailable

Place = Literal["docker", "e2b"]
_KEY = re.compile(r"[\x21-\x7e]+")
"""What a header of HTTP can carry; anything else, and libraries quote the key in their complaints."""


@dataclass(frozen=True)
class Elsewhere:
    """What sandboxes need to know that are not on this machine."""

    docker_image: str = "modelwright-sandbox"
    """Name, tag or digest."""
    docker_runtime: str | None = None
    """OCI runtime instead of the engine's own; gVisor is found without it."""
    e2b_api_key: SecretStr | None = None
    e2b_template: str = "code-interpreter-v1"
    e2b_domain: str | None = None
    """Of an E2B of one's own."""
    e2b_idle_seconds: int = 120
    """A rented machine is kept this long after a run."""


def open_elsewhere(place: Place, elsewhere: Elsewhere) -> Sandbox:
    """The sandbox at that place. Raises `SandboxUnavailable` with what is missing."""
    return _open_docker(elsewhere) if place == "docker" else _open_e2b(elsewhere)


def _open_docker(elsewhere: Elsewhere) -> Sandbox:
    from sandbox.container import Image
    from sandbox.docker import DockerSandbox, find_engine

    return DockerSandbox(find_engine(elsewhere.docker_runtime), Image(elsewhere.docker_image))


def e2b_key(elsewhere: Elsewhere) -> SecretStr:
    """Without the line end that a file adds. Raises `SandboxUnavailable` when there is none, or it can be none."""
    key = elsewhere.e2b_api_key.get_secret_value().strip() if elsewhere.e2b_api_key else ""
    if not key:
        raise SandboxUnavailable("E2B needs a key. Set MODELWRIGHT_E2B_API_KEY, or choose another sandbox.")
    if not _KEY.fullmatch(key):
        raise SandboxUnavailable("MODELWRIGHT_E2B_API_KEY holds a character that no key has. Copy the key again.")
    return SecretStr(key)


def _open_e2b(elsewhere: Elsewhere) -> Sandbox:
    key = e2b_key(elsewhere)
    from sandbox.e2b import Account, E2BSandbox  # the SDK takes a while to load

    account = Account(key, elsewhere.e2b_domain)
    return E2BSandbox(account, template=elsewhere.e2b_template, idle_seconds=elsewhere.e2b_idle_seconds)

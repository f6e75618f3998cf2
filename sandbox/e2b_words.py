"""What E2B's SDK raises, in our own words: whose fault it is and what would work; never with the key in it."""

import httpx
from e2b import (
    AuthenticationException,
    BuildException,
    NotEnoughSpaceException,
    NotFoundException,
    RateLimitException,
    SandboxException,
    SandboxNotRunningException,
    ServiceBusyException,
    TemplateException,
    TimeoutException,
)

from sandbox.base import SandboxBroken, SandboxError, SandboxUnavailable


def unavailable(problem: Exception, template: str) -> SandboxUnavailable:
    """Why no machine could be rented."""
    return SandboxUnavailable(_why_none(problem, template))


def _why_none(problem: Exception, template: str) -> str:
    status = getattr(problem, "status_code", None)
    match problem:
        case AuthenticationException():
            return "E2B does not accept the key. Check MODELWRIGHT_E2B_API_KEY."
        case RateLimitException():
            return "E2B takes no more requests from this account for now. Wait a minute, then try again."
        case ServiceBusyException():
            return "E2B has no machine free at the moment. Wait a minute, then try again."
        case TemplateException() | BuildException():
            return f"The E2B template {template} is too old for this version. Build it again."
        case NotFoundException():
            return f"E2B does not know the template {template}. Check MODELWRIGHT_E2B_TEMPLATE."
        case SandboxException() if status == 404:
            return f"E2B does not know the template {template}. Check MODELWRIGHT_E2B_TEMPLATE."
        case SandboxException() if status in (402, 403):
            return "E2B refuses to start a machine for this account. Check its quota and plan."
        case SandboxException() if status is not None and status < 500:
            return (
                f"E2B refuses this machine (status {status}). A shorter time limit may help; plans have a longest one."
            )
        case TimeoutException() | httpx.TransportError() | OSError():
            return "E2B could not be reached. Check the internet connection."
    return f"E2B answered with something unexpected{_status(status)}. Wait a minute, then try again."


def broken(problem: BaseException) -> SandboxError:
    """Why a run on a rented machine has failed."""
    match problem:
        case SandboxError():
            return problem
        case AuthenticationException():
            return SandboxBroken("E2B does not accept the key any more. Check MODELWRIGHT_E2B_API_KEY.")
        case RateLimitException() | ServiceBusyException():
            return SandboxBroken("E2B takes no more requests for now. Wait a minute, then run it again.")
        case NotEnoughSpaceException():
            return SandboxBroken("The disk of the rented machine is full. Use a bigger template or smaller inputs.")
        case SandboxNotRunningException() | NotFoundException():
            return SandboxBroken("The rented machine is gone. Run it again.")
        case TimeoutException() | httpx.TransportError() | OSError():
            return SandboxBroken("The connection to the rented machine was lost. Run it again.")
    status = getattr(problem, "status_code", None)
    return SandboxBroken(f"E2B answered with something unexpected{_status(status)}. Run it again.")


def _status(status: object) -> str:
    return f" (status {status})" if isinstance(status, int) else ""

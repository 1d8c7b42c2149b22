"""toxiproxy-python, mended in the one place all its faults come from.

Its `APIConsumer` has no time-out, takes 5xx for success, obeys HTTP_PROXY even for loopback, does not escape names and keeps one
address for the whole process. Importing this module puts a bounded subclass in its place in `toxiproxy.server` and `toxiproxy.proxy`.
The address is not state: each call of a plane binds its own `Wire`, so planes on other threads cannot meet.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from urllib.parse import quote

import requests
import toxiproxy.proxy
import toxiproxy.server
from requests.adapters import HTTPAdapter
from toxiproxy.api import APIConsumer

from chaoskit.drivers.base import Address
from chaoskit.errors import PlaneFailed

CONNECT_S = 1.0
ANSWER_S = 2.0
_BODY_SHOWN = 200


class PlaneWedged(PlaneFailed):
    """Toxiproxy's API does not answer: only a restart cures it."""


@dataclass(frozen=True, slots=True)
class Wire:
    """Where calls go and the kept-alive connections they go through."""

    address: Address
    session: requests.Session


_WIRE: ContextVar[Wire] = ContextVar("chaoskit_toxiproxy_wire")


@contextmanager
def wire(address: Address, connections: int) -> Iterator[Wire]:
    """A wire for one plane operation: its connections are never older than the operation, so never stale."""
    with requests.Session() as session:
        session.trust_env = False
        session.mount("http://", HTTPAdapter(pool_connections=1, pool_maxsize=connections))
        yield Wire(address, session)


@contextmanager
def bound(to: Wire) -> Iterator[None]:
    """Calls of toxiproxy-python on this thread go through the wire."""
    token = _WIRE.set(to)
    try:
        yield
    finally:
        _WIRE.reset(token)


class BoundedConsumer(APIConsumer):  # type: ignore[misc]
    """The API consumer that answers within 3 s or raises: PlaneWedged without an answer, PlaneFailed on any status of 400 and above."""

    @classmethod
    def get(cls, url: str, params: object = None) -> requests.Response:
        """GET; `params` is there for the library's signature and must be None."""
        return _call("GET", url, params)

    @classmethod
    def delete(cls, url: str) -> requests.Response:
        """DELETE."""
        return _call("DELETE", url, None)

    @classmethod
    def post(cls, url: str, data: object = None, json: object = None) -> requests.Response:
        """POST of a JSON body."""
        return _call("POST", url, json if data is None else data)


def _call(method: str, path: str, body: object) -> requests.Response:
    to = _WIRE.get(None)
    if to is None:
        raise PlaneFailed(f"{method} {path}: toxiproxy-python was called outside of a chaoskit Plane; it has no address there")
    escaped = "/".join(quote(part, safe="") for part in path.split("/"))
    url = f"http://{to.address.host}:{to.address.port}{escaped}"
    try:
        response = to.session.request(method, url, json=body, timeout=(CONNECT_S, ANSWER_S))
    except requests.Timeout as error:
        raise PlaneWedged(f"{method} {path}: no answer from Toxiproxy at {_told(to.address)} within {CONNECT_S + ANSWER_S:g} s") from error
    except requests.ConnectionError as error:
        raise PlaneWedged(f"{method} {path}: no connection to Toxiproxy at {_told(to.address)}: {error}") from error
    if response.status_code >= 400:
        raise PlaneFailed(f"{method} {path}: Toxiproxy answered {response.status_code}: {response.text[:_BODY_SHOWN].strip()}")
    return response


def _told(address: Address) -> str:
    return f"{address.host}:{address.port}"


toxiproxy.server.APIConsumer = BoundedConsumer
toxiproxy.proxy.APIConsumer = BoundedConsumer

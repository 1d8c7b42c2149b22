"""The Toxiproxy 2.12 HTTP API over our proxies: paths, JSON, statuses and errors as the real server's.

Not copied: `Logger` in every proxy's JSON; unknown attributes taken and ignored, toxicities outside 0..1 and keys in another case (here
400 or unknown); `/metrics`; an escaped slash cleaned from a path; chunked request bodies (411); a `/reset` that leaves the rest alone
after the first listener that cannot be bound (here all are tried, the first trouble is told); wildcards told as `[::]`; a listen address
without a host, which is 127.0.0.1 here; host names other than localhost to listen on.

No call waits for a peer: the data path has nothing to wait for (see `stage`), so the API answers whatever the clients do.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar
from urllib.parse import unquote

import msgspec

from chaoskit.drivers.embedded.proxy.httpd import Request, Response, text
from chaoskit.drivers.embedded.proxy.proxies import CannotListen, Proxy, resolved
from chaoskit.drivers.embedded.proxy.stage import Setting, Toxic
from chaoskit.drivers.embedded.proxy.toxics import TOXICS, attribute_problem

VERSION = "2.12.0+chaoskit"
_JSON = {"Content-Type": "application/json"}
_Shape = TypeVar("_Shape")


class ProxyBody(msgspec.Struct):
    """A proxy as it is sent; null is the same as absent."""

    name: str | None = None
    listen: str | None = None
    upstream: str | None = None
    enabled: bool | None = None


class ToxicBody(msgspec.Struct):
    """A toxic as it is sent; null is the same as absent."""

    name: str | None = None
    type: str | None = None
    stream: str | None = None
    toxicity: float | None = None
    attributes: dict[str, int] | None = None


class ApiError(Exception):
    """What the API answers with a status and a JSON body."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Admin:
    """The proxies by name, and what can be done to them."""

    def __init__(self, setting: Setting) -> None:
        self.proxies: dict[str, Proxy] = {}
        self.setting = setting
        self._turn = asyncio.Lock()  # one change at a time

    async def answer(self, request: Request) -> Response:
        """Answer one request."""
        if request.headers.get("user-agent", "").startswith("Mozilla/"):
            return text(403, "User agent not allowed")
        methods, names = self._route(unquote(request.path))
        if methods is None:
            return text(404, "404 page not found")
        if request.method not in methods:
            return Response(405)
        try:
            async with self._turn:
                return await methods[request.method](request.body, *names)
        except ApiError as error:
            return _error(error.status, error)
        except CannotListen as error:
            return _error(500, error)

    def _route(self, path: str) -> tuple[dict[str, Callable[..., Awaitable[Response]]] | None, tuple[str, ...]]:
        match path.split("/")[1:]:
            case ["version"]:
                return {"GET": self._version}, ()
            case ["reset"]:
                return {"POST": self._reset}, ()
            case ["populate"]:
                return {"POST": self._populate}, ()
            case ["proxies"]:
                return {"GET": self._index, "POST": self._create}, ()
            case ["proxies", proxy] if proxy:
                return {"GET": self._show, "PATCH": self._update, "POST": self._update, "DELETE": self._delete}, (proxy,)
            case ["proxies", proxy, "toxics"] if proxy:
                return {"GET": self._toxics, "POST": self._add}, (proxy,)
            case ["proxies", proxy, "toxics", toxic] if proxy and toxic:
                changes = {"PATCH": self._change, "POST": self._change, "DELETE": self._remove}
                return {"GET": self._show_toxic, **changes}, (proxy, toxic)
        return None, ()

    async def _version(self, body: bytes) -> Response:
        return Response(200, f'{{"version": "{VERSION}"}}\n'.encode(), {"Content-Type": "application/json;charset=utf-8"})

    async def _index(self, body: bytes) -> Response:
        return _json(200, {name: _proxy(proxy) for name, proxy in self.proxies.items()})

    async def _create(self, body: bytes) -> Response:
        wanted = _decoded(body, ProxyBody)
        proxy = self._made(wanted, "")
        if proxy.name in self.proxies:
            raise ApiError(409, "proxy already exists")
        if wanted.enabled is not False:
            await proxy.start()
        self.proxies[proxy.name] = proxy
        return _json(201, _proxy(proxy))

    async def _populate(self, body: bytes) -> Response:
        """Proxies that are there with the same addresses stay as they are, switched off or struck; others are replaced."""
        done: list[Proxy] = []
        try:
            wanted = _decoded(body, list[ProxyBody])
            made = [(self._made(one, f" at proxy {number}"), one) for number, one in enumerate(wanted, 1)]
            for proxy, one in made:
                done.append(await self._replaced(proxy, start=one.enabled is not False))
        except (ApiError, CannotListen) as error:
            status = error.status if isinstance(error, ApiError) else 500
            return _json(status, {"error": str(error), "status": status, "proxies": [_proxy(proxy) for proxy in done] or None})
        return _json(201, {"proxies": [_proxy(proxy) for proxy in done] or None})

    async def _replaced(self, proxy: Proxy, *, start: bool) -> Proxy:
        present = self.proxies.get(proxy.name)
        if present is not None:
            if not _differs(present, proxy.listen, proxy.upstream):
                return present
            present.stop()
        if start:
            await proxy.start()
        self.proxies[proxy.name] = proxy
        return proxy

    async def _show(self, body: bytes, name: str) -> Response:
        return _json(200, _proxy(self._found(name)))

    async def _update(self, body: bytes, name: str) -> Response:
        proxy = self._found(name)
        wanted = _decoded(body, ProxyBody)
        enabled = proxy.enabled if wanted.enabled is None else wanted.enabled
        listen = proxy.listen if wanted.listen is None else wanted.listen
        upstream = proxy.upstream if wanted.upstream is None else wanted.upstream
        if _differs(proxy, listen, upstream):
            proxy.stop()
            proxy.listen, proxy.upstream = listen, upstream
        if enabled:
            await proxy.start()
        else:
            proxy.stop()
        return _json(200, _proxy(proxy))

    async def _delete(self, body: bytes, name: str) -> Response:
        self._found(name).stop()
        del self.proxies[name]
        return Response(204)

    async def _toxics(self, body: bytes, name: str) -> Response:
        return _json(200, _in_order(self._found(name).toxics))

    async def _add(self, body: bytes, name: str) -> Response:
        proxy = self._found(name)
        wanted = _decoded(body, ToxicBody)
        stream = "downstream" if wanted.stream is None else wanted.stream
        if stream.lower() not in ("upstream", "downstream"):
            raise ApiError(400, "stream was invalid, can be either upstream or downstream")
        if wanted.type not in TOXICS or wanted.type is None:
            raise ApiError(400, "invalid toxic type")
        toxic = Toxic(wanted.name or f"{wanted.type}_{stream}", wanted.type, stream, _toxicity(wanted, 1.0), TOXICS[wanted.type].DEFAULTS)
        if proxy.toxic(toxic.name) is not None:
            raise ApiError(409, "toxic already exists")
        toxic.attributes = _attributes(toxic, wanted)
        proxy.add(toxic)
        return _json(200, _toxic(toxic))

    async def _show_toxic(self, body: bytes, name: str, toxic_name: str) -> Response:
        return _json(200, _toxic(self._found_toxic(name, toxic_name)))

    async def _change(self, body: bytes, name: str, toxic_name: str) -> Response:
        toxic = self._found_toxic(name, toxic_name)
        wanted = _decoded(body, ToxicBody)
        self._found(name).change(toxic, _attributes(toxic, wanted), _toxicity(wanted, toxic.toxicity))
        return _json(200, _toxic(toxic))

    async def _remove(self, body: bytes, name: str, toxic_name: str) -> Response:
        self._found(name).remove([self._found_toxic(name, toxic_name)])
        return Response(204)

    async def _reset(self, body: bytes) -> Response:
        troubles: list[CannotListen] = []
        for proxy in self.proxies.values():
            try:
                await proxy.start()
            except CannotListen as error:
                troubles.append(error)
            proxy.remove(proxy.toxics)
        if troubles:
            raise troubles[0]
        return Response(204)

    def _made(self, wanted: ProxyBody, where: str) -> Proxy:
        for field in ("name", "upstream"):
            if not getattr(wanted, field):
                raise ApiError(400, f"missing required field: {field}{where}")
        return Proxy(self.setting, wanted.name or "", wanted.listen or "", wanted.upstream or "")

    def _found(self, name: str) -> Proxy:
        if name not in self.proxies:
            raise ApiError(404, "proxy not found")
        return self.proxies[name]

    def _found_toxic(self, name: str, toxic_name: str) -> Toxic:
        toxic = self._found(name).toxic(toxic_name)
        if toxic is None:
            raise ApiError(404, "toxic not found")
        return toxic


def _decoded(body: bytes, shape: type[_Shape]) -> _Shape:
    try:
        return msgspec.json.decode(body, type=shape)
    except msgspec.DecodeError as error:
        raise ApiError(400, f"bad request body: {error if body else 'EOF'}") from error


def _differs(proxy: Proxy, listen: str, upstream: str) -> bool:
    return proxy.listen != resolved(listen) or proxy.upstream != upstream


def _toxicity(wanted: ToxicBody, default: float) -> float:
    toxicity = default if wanted.toxicity is None else wanted.toxicity
    if not 0 <= toxicity <= 1:
        raise ApiError(400, f"bad request body: toxicity {toxicity} is outside 0..1")
    return toxicity


def _attributes(toxic: Toxic, wanted: ToxicBody) -> dict[str, int]:
    attributes = {**toxic.attributes, **(wanted.attributes or {})}
    if problem := attribute_problem(toxic.type, attributes):
        raise ApiError(400, f"bad request body: {problem}")
    return attributes


def _toxic(toxic: Toxic) -> dict[str, object]:
    return {
        "attributes": toxic.attributes,
        "name": toxic.name,
        "type": toxic.type,
        "stream": toxic.stream,
        "toxicity": toxic.toxicity,
    }


def _proxy(proxy: Proxy) -> dict[str, object]:
    return {
        "name": proxy.name,
        "listen": proxy.listen,
        "upstream": proxy.upstream,
        "enabled": proxy.enabled,
        "toxics": _in_order(proxy.toxics),
    }


def _in_order(toxics: Iterable[Toxic]) -> list[dict[str, object]]:
    """Upstream first, then by age."""
    return [_toxic(toxic) for toxic in sorted(toxics, key=lambda toxic: toxic.direction == "downstream")]


def _json(status: int, shown: object) -> Response:
    return Response(status, msgspec.json.encode(shown), _JSON)


def _error(status: int, error: Exception) -> Response:
    """Errors are JSON, sent as text/plain by Go's http.Error."""
    return text(status, msgspec.json.encode({"error": str(error), "status": status}).decode())

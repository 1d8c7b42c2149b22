"""From a request to its handler and from what is raised to an answer: the one place that maps the store's exceptions to HTTP."""

from collections.abc import Awaitable, Callable, Mapping

from aiohttp import web

from chaoskit.drivers.embedded.registry import blobs, lists, manifests, uploads
from chaoskit.drivers.embedded.registry.errors import ABSENT, API, JSON, Gone, Rejected, refusal
from chaoskit.drivers.embedded.registry.front import Connection, Handler
from chaoskit.drivers.embedded.registry.names import Target, target_of
from chaoskit.drivers.embedded.registry.site import Site
from chaoskit.drivers.embedded.storeapi import NotFound, Unavailable

Endpoint = Callable[[Site, web.BaseRequest, Target], Awaitable[web.StreamResponse]]

_ENDPOINTS: Mapping[str, Mapping[str, Endpoint]] = {
    "blobs": {"GET": blobs.get_blob, "HEAD": blobs.head_blob, "DELETE": blobs.delete_blob},
    "manifests": {
        "GET": manifests.get_manifest,
        "HEAD": manifests.head_manifest,
        "PUT": manifests.put_manifest,
        "DELETE": manifests.delete_manifest,
    },
    "tags": {"GET": lists.list_tags},
    "referrers": {"GET": lists.list_referrers},
    "new upload": {"POST": uploads.open_upload},
    "uploads": {
        "GET": uploads.upload_status,
        "PATCH": uploads.continue_upload,
        "PUT": uploads.finish_upload,
        "DELETE": uploads.cancel_upload,
    },
}


def dispatcher(site: Site) -> Handler:
    """The handler of all requests of a site."""

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        connection = request.protocol
        if isinstance(connection, Connection):
            connection.begin()
        try:
            return await _answer(site, request)
        finally:
            if isinstance(connection, Connection):
                connection.end()

    return answer


async def _answer(site: Site, request: web.BaseRequest) -> web.StreamResponse:
    path = request.raw_path.partition("?")[0]
    if path in ("/v2/", "/v2"):
        return _base(site)
    kind = ""
    try:
        target = target_of(path)
        kind = target.kind
        return await _endpoint(request.method, target)(site, request, target)
    except Rejected as rejected:
        return refusal(rejected)
    except NotFound:
        return refusal(Rejected(404, ABSENT[kind]))
    except Unavailable:
        return refusal(Rejected(503, "UNAVAILABLE"))
    except Gone:
        gone = web.Response(status=400, headers=API)  # nobody is there to read it
        gone.force_close()
        return gone


def _endpoint(method: str, target: Target) -> Endpoint:
    kind = "new upload" if target.kind == "uploads" and not target.reference else target.kind
    endpoint = _ENDPOINTS[kind].get(method)
    if endpoint is None:
        raise Rejected(405, "UNSUPPORTED", headers={"Allow": ", ".join(_ENDPOINTS[kind])})
    return endpoint


def _base(site: Site) -> web.Response:
    if not site.readiness.is_ready:
        return refusal(Rejected(503, "UNAVAILABLE", "the health check of the store fails"))
    return web.Response(body=b"{}", headers=JSON)

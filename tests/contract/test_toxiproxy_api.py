"""The Toxiproxy HTTP API, request by request, of the real server and of ours."""

import socket
from collections.abc import Iterator
from contextlib import closing
from typing import cast

import pytest
import toxiproxy.api
import toxiproxy.proxy
import toxiproxy.server
from toxiproxy import Toxiproxy

from tests.contract.planes import SIDES, Answer, Api, Side, answer_http, answers, dial, free_port, read_all, upstream

TARGET = "127.0.0.1:1"
NAME = "a->b"
PATH = "/proxies/a-%3Eb"
LATENCY = {
    "attributes": {"latency": 5, "jitter": 0},
    "name": "latency_downstream",
    "type": "latency",
    "stream": "downstream",
    "toxicity": 1,
}


@pytest.fixture(scope="module", params=SIDES)
def side(request: pytest.FixtureRequest) -> Side:
    chosen: Side = request.param
    return chosen


@pytest.fixture(scope="module")
def server(side: Side) -> Iterator[Api]:
    with side() as api:
        yield api


@pytest.fixture
def api(server: Api) -> Iterator[Api]:
    """With one proxy, NAME, that listens."""
    server.proxy(NAME, TARGET)
    yield server
    for name in cast("dict[str, object]", server.call("GET", "/proxies").shown):
        server.call("DELETE", f"/proxies/{name}")


def told(answer: Answer) -> dict[str, object]:
    """The answer's object, without the logger that the real server shows by oversight."""
    shown = cast("dict[str, object]", answer.shown)
    return {key: value for key, value in shown.items() if key != "Logger"}


def port_of(api: Api) -> int:
    return int(str(told(api.call("GET", PATH))["listen"]).rpartition(":")[2])


def test_proxy_is_shown_with_its_real_port_and_without_toxics(api: Api) -> None:
    port = port_of(api)
    assert told(api.call("GET", PATH)) == {
        "name": NAME,
        "listen": f"127.0.0.1:{port}",
        "upstream": TARGET,
        "enabled": True,
        "toxics": [],
    }
    answer = api.call("GET", "/proxies")
    assert (answer.status, answer.content_type) == (200, "application/json")
    assert list(told(answer)) == [NAME]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "error"),
    [
        ("POST", "/proxies", {"name": NAME, "upstream": TARGET}, 409, "proxy already exists"),
        ("POST", "/proxies", {"name": "x"}, 400, "missing required field: upstream"),
        ("POST", "/proxies", {"upstream": TARGET}, 400, "missing required field: name"),
        ("POST", "/proxies", b"", 400, "bad request body: EOF"),
        (
            "POST",
            "/proxies",
            {"name": "x", "upstream": TARGET, "listen": "wrong"},
            500,
            "listen tcp: address wrong: missing port in address",
        ),
        ("GET", "/proxies/none", None, 404, "proxy not found"),
        ("PATCH", "/proxies/none", {}, 404, "proxy not found"),
        ("PATCH", PATH, {"listen": "wrong"}, 500, "address wrong: missing port in address"),
        ("DELETE", "/proxies/none", None, 404, "proxy not found"),
        ("GET", "/proxies/none/toxics", None, 404, "proxy not found"),
        ("POST", f"{PATH}/toxics", {"type": "none"}, 400, "invalid toxic type"),
        ("POST", f"{PATH}/toxics", {}, 400, "invalid toxic type"),
        (
            "POST",
            f"{PATH}/toxics",
            {"type": "latency", "stream": "both"},
            400,
            "stream was invalid, can be either upstream or downstream",
        ),
        ("GET", f"{PATH}/toxics/none", None, 404, "toxic not found"),
        ("PATCH", f"{PATH}/toxics/none", {}, 404, "toxic not found"),
        ("DELETE", f"{PATH}/toxics/none", None, 404, "toxic not found"),
    ],
)
def test_errors_are_json_sent_as_text(api: Api, method: str, path: str, body: object, status: int, error: str) -> None:
    answer = api.call(method, path, body)
    assert (answer.status, answer.shown) == (status, {"error": error, "status": status})
    assert answer.content_type == "text/plain; charset=utf-8"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/proxies", {"name": 3}),
        ("/proxies", b"{"),
        (f"{PATH}/toxics", {"type": "bandwidth", "attributes": {"rate": 1.5}}),
        (f"{PATH}/toxics", {"type": "bandwidth", "attributes": {"rate": "1"}}),
        (f"{PATH}/toxics", {"type": "bandwidth", "toxicity": "1"}),
        ("/populate", {}),
    ],
)
def test_body_of_wrong_types_is_400(api: Api, path: str, body: object) -> None:
    answer = api.call("POST", path, body)
    assert answer.status == 400
    assert str(told(answer)["error"]).startswith("bad request body: ")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("PUT", "/proxies", 405),
        ("DELETE", "/reset", 405),
        ("GET", "/wrong", 404),
        ("GET", "/proxies/", 404),
        ("GET", "/proxies/a%2Fb", 404),
    ],
)
def test_wrong_paths_and_methods(api: Api, method: str, path: str, status: int) -> None:
    assert api.call(method, path).status == status


def test_browsers_are_refused(api: Api) -> None:
    assert api.call("GET", "/proxies", User_Agent="Mozilla/5.0").status == 403


def test_version_is_json(api: Api) -> None:
    answer = api.call("GET", "/version")
    assert (answer.status, answer.content_type) == (200, "application/json;charset=utf-8")
    assert list(told(answer)) == ["version"]


def test_toxic_has_defaults_and_is_shown_by_itself_in_its_proxy_and_in_the_list(api: Api) -> None:
    added = api.call("POST", f"{PATH}/toxics", {"type": "latency", "attributes": {"latency": 5}})
    assert (added.status, added.shown) == (200, LATENCY)
    assert api.call("GET", f"{PATH}/toxics/latency_downstream").shown == LATENCY
    assert api.call("GET", f"{PATH}/toxics").shown == [LATENCY]
    assert told(api.call("GET", PATH))["toxics"] == [LATENCY]
    assert api.call("POST", f"{PATH}/toxics", {"type": "latency"}).shown == {"error": "toxic already exists", "status": 409}


@pytest.mark.parametrize(
    ("type_name", "attributes"),
    [
        ("latency", {"latency": 0, "jitter": 0}),
        ("bandwidth", {"rate": 0}),
        ("timeout", {"timeout": 0}),
        ("reset_peer", {"timeout": 0}),
        ("slow_close", {"delay": 0}),
        ("limit_data", {"bytes": 0}),
    ],
)
def test_attributes_are_zero_by_default(api: Api, type_name: str, attributes: dict[str, int]) -> None:
    assert told(api.call("POST", f"{PATH}/toxics", {"type": type_name, "attributes": None}))["attributes"] == attributes


def test_upstream_toxics_are_listed_first_then_by_age(api: Api) -> None:
    for name, stream in (("z", "downstream"), ("y", "Upstream"), ("a", "downstream"), ("b", "upstream")):
        api.call("POST", f"{PATH}/toxics", {"name": name, "type": "latency", "stream": stream})
    listed = cast("list[dict[str, object]]", api.call("GET", f"{PATH}/toxics").shown)
    assert [(toxic["name"], toxic["stream"]) for toxic in listed] == [
        ("y", "Upstream"),
        ("b", "upstream"),
        ("z", "downstream"),
        ("a", "downstream"),
    ]


@pytest.mark.parametrize("method", ["PATCH", "POST"])
def test_update_changes_what_is_sent_and_keeps_the_rest(api: Api, method: str) -> None:
    api.strike(NAME, "latency", latency=5, jitter=1)
    path = f"{PATH}/toxics/latency"
    assert told(api.call(method, path, {"attributes": {"latency": 7}}))["attributes"] == {"latency": 7, "jitter": 1}
    changed = told(api.call(method, path, {"toxicity": 0.5, "name": "other", "stream": "upstream"}))
    assert changed == {
        "name": "latency",
        "type": "latency",
        "stream": "downstream",
        "toxicity": 0.5,
        "attributes": {"latency": 7, "jitter": 1},
    }


def test_disabled_proxy_refuses_keeps_its_port_and_its_toxics(api: Api) -> None:
    port = port_of(api)
    api.strike(NAME, "latency", latency=5)
    off = told(api.call("PATCH", PATH, {"enabled": False}))
    assert (off["enabled"], off["listen"], len(cast("list[object]", off["toxics"]))) == (False, f"127.0.0.1:{port}", 1)
    assert not answers(port)
    on = told(api.call("POST", PATH, {"enabled": True}))
    assert (on["enabled"], on["listen"], len(cast("list[object]", on["toxics"]))) == (True, f"127.0.0.1:{port}", 1)
    assert answers(port)


def test_other_upstream_takes_effect_on_the_same_port(api: Api) -> None:
    port = port_of(api)
    with upstream(answer_http) as target:
        assert told(api.call("PATCH", PATH, {"upstream": target}))["enabled"] is True
        with closing(dial(port)) as peer:
            peer.sendall(b"GET / HTTP/1.1\r\n\r\n")
            assert read_all(peer).endswith(b"ok")


def test_taken_port_is_500_and_leaves_the_proxy_disabled(api: Api) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        answer = api.call("PATCH", PATH, {"listen": listen})
        assert answer.shown == {"error": f"listen tcp {listen}: bind: address already in use", "status": 500}
        assert told(api.call("GET", PATH))["enabled"] is False
        assert api.call("POST", "/proxies", {"name": "x", "upstream": TARGET, "listen": listen}).status == 500
        assert api.call("GET", "/proxies/x").status == 404
    assert told(api.call("PATCH", PATH, {"enabled": True}))["enabled"] is True


def test_deleted_proxy_refuses_and_is_gone(api: Api) -> None:
    port = port_of(api)
    assert api.call("DELETE", PATH).status == 204
    assert not answers(port)
    assert api.call("GET", PATH).status == 404


def test_reset_enables_and_removes_all_toxics(api: Api) -> None:
    api.strike(NAME, "latency", latency=5)
    api.strike(NAME, "timeout", stream="upstream")
    api.call("PATCH", PATH, {"enabled": False})
    assert api.call("POST", "/reset").status == 204
    shown = told(api.call("GET", PATH))
    assert (shown["enabled"], shown["toxics"]) == (True, [])


def test_populate_keeps_what_is_the_same_and_replaces_what_differs(api: Api) -> None:
    port, other = port_of(api), free_port()
    api.strike(NAME, "latency", latency=5)
    same = {"name": NAME, "listen": f"127.0.0.1:{port}", "upstream": TARGET, "enabled": False}
    new = {"name": "new", "listen": f"127.0.0.1:{other}", "upstream": TARGET, "enabled": False}
    answer = api.call("POST", "/populate", [same, new])
    assert (answer.status, answer.content_type) == (201, "application/json")
    shown = cast("list[dict[str, object]]", told(answer)["proxies"])
    assert [(proxy["name"], proxy["enabled"], len(cast("list[object]", proxy["toxics"]))) for proxy in shown] == [
        (NAME, True, 1),
        ("new", False, 0),
    ]
    differs = api.call("POST", "/populate", [{**same, "upstream": "127.0.0.1:2", "enabled": True}])
    shown = cast("list[dict[str, object]]", told(differs)["proxies"])
    assert [(proxy["upstream"], proxy["toxics"]) for proxy in shown] == [("127.0.0.1:2", [])]


def test_populate_with_a_field_missing_creates_nothing(api: Api) -> None:
    answer = api.call("POST", "/populate", [{"name": "x", "upstream": TARGET}, {"name": "y"}])
    assert answer.shown == {"error": "missing required field: upstream at proxy 2", "status": 400, "proxies": None}
    assert api.call("GET", "/proxies/x").status == 404
    assert api.call("POST", "/populate", []).shown == {"proxies": None}


def test_toxiproxy_python_drives_it_as_it_comes(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without our bounded consumer in its place."""
    consumer = toxiproxy.api.APIConsumer
    monkeypatch.setattr(consumer, "host", api.address.host)
    monkeypatch.setattr(consumer, "port", api.address.port)
    monkeypatch.setattr(toxiproxy.server, "APIConsumer", consumer)
    monkeypatch.setattr(toxiproxy.proxy, "APIConsumer", consumer)
    client = Toxiproxy()
    proxy = client.create(upstream=TARGET, name="made", listen="127.0.0.1:0")
    proxy.add_toxic(type="latency", attributes={"latency": 1})
    assert list(proxy.toxics()) == ["latency_downstream"]
    assert proxy.get_toxic("latency_downstream").attributes == {"latency": 1, "jitter": 0}
    proxy.destroy_toxic("latency_downstream")
    assert proxy.toxics() == {}
    with proxy.down():
        assert client.get_proxy("made").enabled is False
    assert client.get_proxy("made").enabled is True
    assert client.populate([{"name": "more", "listen": "127.0.0.1:0", "upstream": TARGET}])[0].name == "more"
    assert b"version" in client.version()
    assert client.reset() is True
    client.destroy_all()
    assert client.proxies() == {}

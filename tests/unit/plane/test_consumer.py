import pytest
import toxiproxy

from chaoskit.errors import PlaneFailed
from chaoskit.plane import consumer


def test_library_call_outside_of_a_plane_is_refused() -> None:
    assert toxiproxy.server.APIConsumer is consumer.BoundedConsumer
    assert toxiproxy.proxy.APIConsumer is consumer.BoundedConsumer
    with pytest.raises(PlaneFailed, match="GET /proxies: toxiproxy-python was called outside of a chaoskit Plane"):
        toxiproxy.Toxiproxy().proxies()

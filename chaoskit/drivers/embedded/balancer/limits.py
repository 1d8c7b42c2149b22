"""How long a balancer waits and how much it takes, as in compose/config/haproxy-common.cfg unless it says otherwise."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds, but for the last. `server_s` and `client_s` count from the last sign of life of the side that is waited for.

    Checks are quicker than HAProxy's 1 s each, so that a run can be short. An idle connection to a server is closed before
    any server closes it (`idle_s`); a client that is told to go away while it still sends is heard out for `linger_s`.
    """

    connect_s: float = 1.0
    retry_s: float = 1.0
    server_s: float = 15.0
    client_s: float = 30.0
    head_s: float = 10.0
    kept_s: float = 30.0
    idle_s: float = 5.0
    linger_s: float = 1.0
    check_every_s: float = 0.2
    check_s: float = 0.3
    connections: int = 2_000

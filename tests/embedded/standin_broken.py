"""A stand-in that does not come up."""

from chaoskit.drivers.embedded.config import ProcessConfig


async def serve(config: ProcessConfig) -> None:
    raise ValueError(f"{config.component} cannot read the secret {config.secret}")

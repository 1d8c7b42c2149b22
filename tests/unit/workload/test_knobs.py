import pytest
from pydantic import ValidationError

from chaoskit.experiment import Workload


@pytest.mark.parametrize(("knob", "mix"), [({"scale": 0.1}, "basic"), ({"tenants": 3}, "pull-storm"), ({"tenants": 3}, "tag-race")])
def test_a_knob_that_says_nothing_to_a_mix_is_refused_with_the_mixes_it_speaks_to(knob: dict[str, float], mix: str) -> None:
    with pytest.raises(ValidationError, match=f"says nothing to the mix '{mix}'; leave it out, or choose one of registry, push-heavy"):
        Workload.model_validate({"mix": mix, "rate": "2/s", **knob})


def test_knobs_reach_the_plan_and_have_defaults() -> None:
    assert Workload.model_validate({"mix": "registry", "rate": "2/s", "scale": 0.1, "tenants": 3}).spec().scale == 0.1
    spec = Workload.model_validate({"mix": "registry", "rate": "2/s"}).spec()
    assert (spec.scale, spec.tenants) == (0.01, 6)


@pytest.mark.parametrize("scale", [0, -1, 1.5])
def test_a_scale_is_above_nothing_and_at_most_the_trace_itself(scale: float) -> None:
    with pytest.raises(ValidationError):
        Workload.model_validate({"mix": "registry", "rate": "2/s", "scale": scale})

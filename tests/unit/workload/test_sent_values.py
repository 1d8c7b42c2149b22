from chaoskit.model.history import Operation, Outcome
from chaoskit.workload.sweep import SentValues, sent_values


def row(action: str, *, reference: str = "", digest: str = "", outcome: Outcome = Outcome.UNKNOWN) -> Operation:
    return Operation(
        index=0,
        action=action,
        lane="pinned",
        phase="steady",
        region="us-south",
        zone="us-south-1",
        intended_ns=0,
        called_ns=0,
        repository="r",
        reference=reference,
        digest=digest,
        outcome=outcome,
    )


def test_what_was_never_acknowledged_counts_and_what_was_only_asked_for_does_not() -> None:
    rows = [
        row("push", reference="v1"),
        row("blob-head", digest="asked"),
        row("upload-post", digest="asked"),
        row("upload-put", digest="b1", outcome=Outcome.FAILED),
        row("upload-patch", digest="b2"),
        row("manifest-put", reference="v1", digest="m1"),
        row("manifest-put", reference="v1", digest="m2", outcome=Outcome.OK),
        row("manifest-get", reference="v9"),
    ]
    assert sent_values(rows) == SentValues(tags=(("r", "v1"),), manifests=(("r", "m1"), ("r", "m2")), blobs=(("r", "b1"), ("r", "b2")))


def test_what_was_deleted_is_still_asked_for() -> None:
    rows = [
        row("upload-put", digest="b1", outcome=Outcome.OK),
        row("manifest-put", reference="v1", digest="m1", outcome=Outcome.OK),
        row("delete", reference="v1", digest="m1", outcome=Outcome.OK),
        row("manifest-delete", digest="m1", outcome=Outcome.OK),
        row("blob-delete", digest="b1", outcome=Outcome.OK),
        row("list"),
        row("tags-list"),
    ]
    assert sent_values(rows) == SentValues(tags=(("r", "v1"),), manifests=(("r", "m1"),), blobs=(("r", "b1"),))

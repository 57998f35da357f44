"""Every code has its class, and words of ours that tell what to do."""

import pytest

from tinycloud.drivers.aws.refusal import Kind, Refusal, kind_of, named_ids


@pytest.mark.parametrize(
    ("kind", "codes"),
    [
        (Kind.RETRY, "RequestLimitExceeded Throttling ThrottlingException EC2ThrottledException"),
        (Kind.RETRY, "Unavailable ServiceUnavailable InternalError InternalFailure 502 503 504"),
        (Kind.PROPAGATION, "InvalidInstanceID.NotFound InvalidGroup.NotFound"),
        (Kind.PROPAGATION, "InvalidKeyPair.NotFound IncorrectInstanceState"),
        (Kind.EXISTS, "InvalidGroup.Duplicate InvalidPermission.Duplicate"),
        (Kind.ELSEWHERE, "InsufficientInstanceCapacity InsufficientHostCapacity Unsupported"),
        (Kind.ELSEWHERE, "InsufficientFreeAddressesInSubnet InsufficientVolumeCapacity"),
        (Kind.SPOT, "SpotMaxPriceTooLow MaxSpotInstanceCountExceeded"),
        (Kind.QUOTA, "VcpuLimitExceeded InstanceLimitExceeded PendingVerification"),
        (Kind.GENERATION, "IdempotentInstanceTerminated"),
        (Kind.LATER, "DependencyViolation"),
        (Kind.FATAL, "AuthFailure UnauthorizedOperation ExpiredToken OptInRequired Blocked"),
        (Kind.FATAL, "InvalidAMIID.NotFound InvalidParameterValue IdempotentParameterMismatch"),
        (Kind.FATAL, "NobodyHasHeardOfThis RequestExpired RulesPerSecurityGroupLimitExceeded"),
    ],
)
def test_the_table(kind: Kind, codes: str) -> None:
    """What can be done about an error depends on its code alone, almost."""
    assert [kind_of(code) for code in codes.split()] == [kind] * len(codes.split())


def test_a_role_that_is_new() -> None:
    """EC2 has no code of its own for a role that it does not know yet."""
    message = (
        "Value (x) for parameter iamInstanceProfile.name is invalid. Invalid IAM Instance Profile"
    )
    assert kind_of("InvalidParameterValue", message) is Kind.PROPAGATION


def test_the_words() -> None:
    """The code, its meaning and the remedy are said; a permission by its name."""
    error = Refusal(
        "RunInstances",
        "UnauthorizedOperation",
        "You are not authorized. Encoded authorization failure message: AAAA\x1b[1mBBBB",
    )
    assert error.what == "EC2 refused RunInstances with UnauthorizedOperation"
    assert "ec2:RunInstances" in error.fix
    assert error.cause == "these credentials may not do that: You are not authorized."
    assert "vCPU" in Refusal("RunInstances", "VcpuLimitExceeded", "no").cause


def test_a_hostile_message() -> None:
    """What a server says is one line, of a length that can be read, and moves no cursor."""
    error = Refusal("RunInstances", "Odd", "a\nb\x1b[2J" + 10_000 * "x")
    assert "\n" not in error.cause
    assert "\x1b" not in error.cause
    assert len(error.cause) < 500
    assert error.fix


def test_ids_in_a_message() -> None:
    """An error that names what spoils a call is understood, in all of its forms."""
    said = "The instance IDs 'i-0123456789abcdef0, i-12345678' do not exist; sg-01234567 does"
    assert named_ids(said) == {"i-0123456789abcdef0", "i-12345678", "sg-01234567"}

"""What EC2's errors mean: for each code what can be done about it, and our words for it."""

import re
from enum import StrEnum
from fnmatch import fnmatchcase

from ...errors import ProviderError
from ...text import printable


class Kind(StrEnum):
    """What there is to do about an error."""

    RETRY = "retry"
    PROPAGATION = "propagation"
    EXISTS = "exists"
    ELSEWHERE = "elsewhere"
    SPOT = "spot"
    QUOTA = "quota"
    FATAL = "fatal"
    GENERATION = "generation"
    LATER = "later"


_TABLE = {
    Kind.RETRY: (
        "RequestLimitExceeded",
        "Throttling*",
        "ThrottledException",
        "TooManyRequestsException",
        "EC2ThrottledException",
        "Unavailable",
        "ServiceUnavailable*",
        "InternalError",
        "InternalFailure",
        "InternalServerError",
        "RequestTimeout",
        "500",
        "502",
        "503",
        "504",
    ),
    Kind.PROPAGATION: (
        "InvalidInstanceID.NotFound",
        "InvalidGroup.NotFound",
        "InvalidKeyPair.NotFound",
        "IncorrectInstanceState",
    ),
    Kind.EXISTS: (
        "InvalidGroup.Duplicate",
        "InvalidPermission.Duplicate",
        "InvalidKeyPair.Duplicate",
    ),
    Kind.ELSEWHERE: (
        "InsufficientInstanceCapacity",
        "InsufficientHostCapacity",
        "InsufficientReservedInstanceCapacity",
        "InsufficientCapacity",
        "UnfulfillableCapacity",
        "Unsupported",
        "InsufficientVolumeCapacity",
        "InsufficientFreeAddressesInSubnet",
    ),
    Kind.SPOT: ("SpotMaxPriceTooLow", "MaxSpotInstanceCountExceeded"),
    Kind.QUOTA: ("VcpuLimitExceeded", "InstanceLimitExceeded", "PendingVerification"),
    Kind.GENERATION: ("IdempotentInstanceTerminated",),
    Kind.LATER: ("DependencyViolation",),
}

_QUOTAS = "https://console.aws.amazon.com/servicequotas/home/services/ec2/quotas"
_VCPU = f"{_QUOTAS}/L-1216C47A"
_SIGN_IN = "get new credentials (as with 'aws sso login'), then do the same again"

# Code: what it means, and what helps.
_WORDS = {
    "RequestLimitExceeded": (
        "the account makes too many calls in this region",
        "wait, and do the same again",
    ),
    "AuthFailure": (
        "AWS does not accept these credentials",
        "see which ones are used with: aws sts get-caller-identity",
    ),
    "InvalidClientTokenId": (
        "AWS does not know this access key",
        "see which one is used with: aws configure list",
    ),
    "SignatureDoesNotMatch": (
        "the secret key does not belong to the access key",
        "set both anew with: aws configure",
    ),
    "ExpiredToken*": ("the credentials have expired", _SIGN_IN),
    "RequestExpired": ("the credentials have expired, or the clock is wrong", _SIGN_IN),
    "UnauthorizedOperation": (
        "these credentials may not do that",
        "have the permission {permission} added (docs/aws.md has all that is needed)",
    ),
    "AccessDenied*": (
        "these credentials may not do that",
        "have the permission {permission} added (docs/aws.md has all that is needed)",
    ),
    "OptInRequired": (
        "the account is not signed up for this",
        "accept the terms of the image in AWS Marketplace, or enable the region",
    ),
    "Blocked": ("AWS has blocked the account", "ask AWS support"),
    "PendingVerification": ("AWS still verifies the account here", "wait for its mail"),
    "VcpuLimitExceeded": (
        "the quota of virtual CPUs for such instances (vCPUs, Service Quotas) is used up",
        f"ask for more at {_VCPU}, or take fewer or smaller instances",
    ),
    "InstanceLimitExceeded": (
        "the quota of running instances of this type is used up",
        f"ask for more at {_QUOTAS}, or take fewer or other instances",
    ),
    "MaxSpotInstanceCountExceeded": (
        "the quota of spot instances is used up",
        f"ask for more at {_QUOTAS}, or do without spot",
    ),
    "SpotMaxPriceTooLow": ("spot instances cost more than was offered", "do without spot"),
    "Insufficient*Capacity": (
        "AWS has no such machine free here at the moment",
        "take another type or zone, or try again later",
    ),
    "UnfulfillableCapacity": (
        "AWS has no such machine free here at the moment",
        "take another type or zone, or try again later",
    ),
    "InsufficientFreeAddressesInSubnet": (
        "the subnet has no address left",
        "name another one with --subnet",
    ),
    "Unsupported": ("there is no such thing in this zone", "take another type or zone"),
    "InvalidAMIID.*": ("there is no such image in this region", "name another image (-m)"),
    "InvalidSubnetID.NotFound": (
        "there is no such subnet in this region",
        "see them with: aws ec2 describe-subnets",
    ),
    "InvalidKeyPair.NotFound": (
        "there is no such key pair in this region",
        "see them with 'aws ec2 describe-key-pairs', or leave -k out",
    ),
    "InvalidInstanceType": ("there is no such type in this region", "take another type (-t)"),
    "VPCIdNotSpecified": (
        "there is no default VPC in this region",
        "make it with 'aws ec2 create-default-vpc', or name a subnet (--subnet)",
    ),
    "RulesPerSecurityGroupLimitExceeded": (
        "a security group takes 60 rules",
        "open fewer ports, or to fewer networks",
    ),
    "SecurityGroupLimitExceeded": (
        "the quota of security groups is used up",
        f"'tinycloud reap' removes those left over; or ask for more at {_QUOTAS}",
    ),
    "OperationNotPermitted": (
        "the instance is protected from termination",
        "aws ec2 modify-instance-attribute --no-disable-api-termination --instance-id ID",
    ),
    "UnsupportedOperation": (
        "such an instance can't do that: spot instances can't be stopped",
        "destroy the cluster instead",
    ),
    "IncorrectSpotRequestState": (
        "spot instances can't be stopped",
        "destroy the cluster instead",
    ),
    "Client.InvalidParameterValue": ("EC2 does not take a value", "change what it names"),
    "InvalidParameter*": ("EC2 does not take a value", "change what it names"),
}


class Refusal(ProviderError):
    """EC2 refused a call: `code` is its word for why, `kind` what can be done about it."""

    def __init__(self, action: str, code: str, message: str) -> None:
        self.action, self.code, self.kind = action, code, kind_of(code, message)
        self.message = shortened(message)
        meaning, fix = _words(code)
        said = f"{meaning}: {self.message}" if meaning and self.message else meaning or self.message
        super().__init__(
            f"EC2 refused {action} with {code}",
            cause=said,
            fix=fix.format(permission=permission(action)),
        )


def kind_of(code: str, message: str = "") -> Kind:
    """Return what can be done about this error: nothing, if nobody has heard of it."""
    if "Invalid IAM Instance Profile" in message or "iamInstanceProfile" in message:
        return Kind.PROPAGATION
    for kind, codes in _TABLE.items():
        if any(fnmatchcase(code, one) for one in codes):
            return kind
    return Kind.FATAL


def permission(action: str) -> str:
    """Return the permission that a call takes: `ec2:RunInstances`."""
    return action if ":" in action else f"ec2:{action}"


def _words(code: str) -> tuple[str, str]:
    found = (words for pattern, words in _WORDS.items() if fnmatchcase(code, pattern))
    return next(found, ("", "look the code up among the error codes of the EC2 API"))


def shortened(message: str) -> str:
    """Return what AWS says in one line, without what only its own tools can read."""
    said = re.sub(r"\s*Encoded authorization failure message:.*", "", message, flags=re.DOTALL)
    said = printable(" ".join(said.split()))
    return said if len(said) <= 400 else f"{said[:400]}..."


_IDS = re.compile(r"\b(?:i|sg|eni|vol)-[0-9a-f]{8,17}\b")


def named_ids(message: str) -> frozenset[str]:
    """Return the ids of resources that a message names."""
    return frozenset(_IDS.findall(message))

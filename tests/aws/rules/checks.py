"""What EC2 refuses to launch."""

import base64
from dataclasses import dataclass

from ..images import PARAMETERS
from ..wire import Answer, Ask, Refused, Request

USER_DATA = 16_384
"""Bytes that user data may have, before it is encoded."""

SSM = "resolve:ssm:"


@dataclass
class Checks:
    """Refuses launches that can't be, and has MaxCount instances launched, not MinCount."""

    async def __call__(self, request: Request, ask: Ask) -> Answer:
        if request.action != "RunInstances":
            return await ask(request)
        least, most = int(request.get("MinCount", "0")), int(request.get("MaxCount", "0"))
        if not 0 < least <= most:
            raise Refused("InvalidParameterValue", "The value for maxCount is invalid.")
        size = len(base64.b64decode(request.get("UserData")))
        if size > USER_DATA:
            message = f"User data is limited to {USER_DATA} bytes"
            raise Refused("InvalidParameterValue", message)
        image = await _image(request.get("ImageId"), request, ask)
        known = request.but(MinCount=str(most), MaxCount=str(most), ImageId=image, **_disk(request))
        return await ask(known)


def _disk(request: Request) -> dict[str, str]:
    """Return the size of a disk that has none of its own: it has that of the image."""
    disk = "BlockDeviceMapping.1.Ebs"
    told = any(request.get(f"{disk}.{name}") for name in ("VolumeSize", "SnapshotId"))
    has = any(name.startswith(disk) for name in request.parameters)
    return {f"{disk}.VolumeSize": "8"} if has and not told else {}


async def _image(id_: str, request: Request, ask: Ask) -> str:
    if id_.startswith(SSM):
        name = id_.removeprefix(SSM)
        if name not in PARAMETERS:
            raise Refused("InvalidParameterValue", f"Invalid systems manager parameter {name}")
        return PARAMETERS[name]
    answer = await ask(request.asking("DescribeImages", **{"ImageId.1": id_}))
    if id_.encode() not in answer.body or answer.code:
        raise Refused("InvalidAMIID.NotFound", f"The image id '[{id_}]' does not exist")
    return id_

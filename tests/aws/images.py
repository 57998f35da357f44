"""The images that the world knows, and the parameters that name them."""

from dataclasses import dataclass

CANONICAL = "099720109477"
DEBIAN = "136693071363"
AMAZON = "137112412989"
STRANGER = "666666666666"


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """One image. `user` is whom its cloud-init makes; `parameter` is the SSM name it has."""

    id: str
    owner: str
    name: str
    user: str
    created: str = "2026-05-01T00:00:00.000Z"
    architecture: str = "x86_64"
    parameter: str = ""

    def described(self) -> dict[str, object]:
        """Return it as moto reads it."""
        return {
            "ami_id": self.id,
            "owner_id": self.owner,
            "name": self.name,
            "architecture": self.architecture,
            "creation_date": self.created,
            "state": "available",
            "public": True,
            "image_location": f"{self.owner}/{self.name}",
            "image_type": "machine",
            "root_device_type": "ebs",
            "root_device_name": "/dev/xvda" if self.owner != CANONICAL else "/dev/sda1",
            "description": self.name,
            "platform": None,
            "sriov": "simple",
            "virtualization_type": "hvm",
            "hypervisor": "xen",
        }


_UBUNTU = "/aws/service/canonical/ubuntu/server/24.04/stable/current"
_AL2023 = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default"
_DEBIAN = "/aws/service/debian/release/12/latest"

IMAGES = (
    Image(
        id="ami-00bbbb86000000001",
        owner=CANONICAL,
        name="ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-20260501",
        user="ubuntu",
        parameter=f"{_UBUNTU}/amd64/hvm/ebs-gp3/ami-id",
    ),
    Image(
        id="ami-00bbbbaa000000001",
        owner=CANONICAL,
        name="ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-arm64-server-20260501",
        user="ubuntu",
        architecture="arm64",
        parameter=f"{_UBUNTU}/arm64/hvm/ebs-gp3/ami-id",
    ),
    Image(
        id="ami-00bbbb86000000000",
        owner=CANONICAL,
        name="ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-20250101",
        user="ubuntu",
        created="2025-01-01T00:00:00.000Z",
    ),
    Image(
        id="ami-00aaaa86000000001",
        owner=AMAZON,
        name="al2023-ami-2023.7.20260501.0-kernel-6.1-x86_64",
        user="ec2-user",
        parameter=f"{_AL2023}-x86_64",
    ),
    Image(
        id="ami-00dddd86000000001",
        owner=DEBIAN,
        name="debian-12-amd64-20260501-2100",
        user="admin",
        parameter=f"{_DEBIAN}/amd64",
    ),
    Image(  # newer than Canonical's, and no one's that we trust
        id="ami-00eeee86000000001",
        owner=STRANGER,
        name="ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-20260601",
        user="ubuntu",
        created="2026-06-01T00:00:00.000Z",
    ),
)

PARAMETERS = {image.parameter: image.id for image in IMAGES if image.parameter}

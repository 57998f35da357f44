"""The public parameters of SSM that name images."""

import json

from ..images import PARAMETERS
from ..wire import Answer, Ask, Request

JSON = "application/x-amz-json-1.1"


async def parameters(request: Request, ask: Ask) -> Answer:
    """Answer GetParameter and GetParameters for what we know."""
    if request.action == "GetParameter":
        name = json.loads(request.body)["Name"]
        if name in PARAMETERS:
            return _answer({"Parameter": _described(name)})
        return _answer({"__type": "ParameterNotFound", "message": f"{name} not found"}, 400)
    if request.action == "GetParameters":
        names = json.loads(request.body)["Names"]
        known = [_described(name) for name in names if name in PARAMETERS]
        unknown = [name for name in names if name not in PARAMETERS]
        return _answer({"Parameters": known, "InvalidParameters": unknown})
    return await ask(request)


def _described(name: str) -> dict[str, object]:
    return {"Name": name, "Type": "String", "Value": PARAMETERS[name], "Version": 1}


def _answer(content: object, status: int = 200) -> Answer:
    return Answer(body=json.dumps(content).encode(), status=status, content_type=JSON)

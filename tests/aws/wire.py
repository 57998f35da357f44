"""One call of the EC2 API and its answer, as they go over the wire.

A `Rule` is asked to answer a request, and may have the next one in line answer it: the
server last of all. What it changes on the way, there or back, is what it is for.
"""

import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Self
from urllib.parse import parse_qsl, urlencode
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

NAMESPACE = "http://ec2.amazonaws.com/doc/2016-11-15/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One call. `parameters` are those of the query API; other services have a `body` only."""

    service: str
    action: str
    region: str = "us-east-1"
    parameters: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @classmethod
    def read(cls, headers: Mapping[str, str], body: bytes) -> Self:
        """Return the request that was sent with these headers."""
        scope = re.search(
            r"Credential=[^/]+/\d+/([^/]+)/([^/]+)/", headers.get("Authorization", "")
        )
        region, service = scope.groups() if scope else ("us-east-1", "ec2")
        if target := headers.get("X-Amz-Target"):
            action, parameters = target.rpartition(".")[2], {}
        else:
            parameters = dict(parse_qsl(body.decode(), keep_blank_values=True))
            action = parameters.get("Action", "")
        return cls(
            service=service,
            action=action,
            region=region,
            parameters=parameters,
            headers=headers,
            body=body,
        )

    @property
    def payload(self) -> bytes:
        """What to send on."""
        return urlencode(self.parameters).encode() if self.parameters else self.body

    def get(self, name: str, default: str = "") -> str:
        """Return a parameter."""
        return self.parameters.get(name, default)

    def list(self, name: str) -> tuple[str, ...]:
        """Return the values of a parameter that there can be many of: `InstanceId.1` and on."""
        found: list[str] = []
        while (value := self.parameters.get(f"{name}.{len(found) + 1}")) is not None:
            found.append(value)
        return tuple(found)

    def filters(self) -> dict[str, tuple[str, ...]]:
        """Return the filters, by name."""
        found: dict[str, tuple[str, ...]] = {}
        while name := self.parameters.get(f"Filter.{len(found) + 1}.Name"):
            found[name] = self.list(f"Filter.{len(found) + 1}.Value")
        return found

    def filtered(self, filters: Mapping[str, tuple[str, ...]]) -> "Request":
        """Return the same request with these filters."""
        kept = {k: v for k, v in self.parameters.items() if not k.startswith("Filter.")}
        for number, (name, values) in enumerate(filters.items(), 1):
            kept[f"Filter.{number}.Name"] = name
            kept.update({f"Filter.{number}.Value.{n}": v for n, v in enumerate(values, 1)})
        return replace(self, parameters=kept)

    def but(self, **parameters: str | None) -> "Request":
        """Return the same request with other parameters; None leaves one out."""
        changed = {**self.parameters, **parameters}
        return replace(self, parameters={k: v for k, v in changed.items() if v is not None})

    def asking(self, action: str, **parameters: str) -> "Request":
        """Return another EC2 request of the same caller."""
        every = {"Action": action, "Version": "2016-11-15", **parameters}
        return replace(self, service="ec2", action=action, parameters=every, body=b"")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What is answered."""

    body: bytes
    status: int = 200
    content_type: str = "text/xml"

    @property
    def tree(self) -> Element:
        """The answer as a tree, without name spaces."""
        return ElementTree.fromstring(re.sub(rb' xmlns="[^"]*"', b"", self.body))

    @classmethod
    def of(cls, tree: Element) -> Self:
        """Return a tree as an answer of EC2."""
        tree.set("xmlns", NAMESPACE)
        return cls(body=ElementTree.tostring(tree))

    @property
    def code(self) -> str:
        """The code of an error; empty where all went well."""
        found = re.search(rb"<Code>([^<]*)</Code>", self.body[:4096])
        return found[1].decode() if found and self.status >= 400 else ""


class Refused(Exception):
    """An error that EC2 answers."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.message, self.status = code, message, status

    @property
    def answer(self) -> Answer:
        """The error as EC2 words it."""
        root = Element("Response")
        errors = ElementTree.SubElement(root, "Errors")
        put(errors, "Error", Code=self.code, Message=self.message)
        ElementTree.SubElement(root, "RequestID").text = "0f5a1c4e-0000-4000-8000-000000000000"
        return Answer(body=ElementTree.tostring(root), status=self.status)


class Cut(Exception):
    """The connection is cut, and nothing is answered."""


Ask = Callable[[Request], Awaitable[Answer]]
Rule = Callable[[Request, Ask], Awaitable[Answer]]


def put(parent: Element, name: str, **texts: str) -> Element:
    """Add an element that has these children."""
    added = ElementTree.SubElement(parent, name)
    for child, text in texts.items():
        ElementTree.SubElement(added, child).text = text
    return added


def say(parent: Element, name: str, text: str | None) -> None:
    """Set the text of a child, which is made or, for None, removed."""
    found = parent.find(name)
    if text is None:
        if found is not None:
            parent.remove(found)
        return
    if found is None:
        found = ElementTree.SubElement(parent, name)
    found.text = text


def instances(tree: Element) -> Iterator[Element]:
    """Return the instances in an answer."""
    for found in tree.iter("instancesSet"):
        yield from found.findall("item")


def text(element: Element, path: str) -> str:
    """Return the text of a child; empty if there is none."""
    return element.findtext(path) or ""

"""What DescribeInstances shows: filtered by what is shown, in pages."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from itertools import count
from typing import ClassVar
from xml.etree.ElementTree import Element

from ..wire import Answer, Ask, Refused, Request, instances, say, text


@dataclass
class View:
    """Takes over states and pages from the server, so that the rules within may show others."""

    BOUNDS: ClassVar = range(5, 1001)
    _pages: dict[str, tuple[Element, int]] = field(default_factory=dict)
    _numbers: "count[int]" = field(default_factory=count)

    async def __call__(self, request: Request, ask: Ask) -> Answer:
        if request.action != "DescribeInstances":
            return await ask(request)
        size = int(request.get("MaxResults", "0"))
        if size and (size not in self.BOUNDS or request.list("InstanceId")):
            raise Refused("InvalidParameterValue", "Value for parameter maxResults is invalid.")
        if token := request.get("NextToken"):
            if token not in self._pages:
                raise Refused("InvalidNextToken", "The token is invalid.")
            tree, first = self._pages[token]
        else:
            tree, first = await self._everything(request, ask), 0
        return Answer.of(self._page(tree, first, size))

    async def _everything(self, request: Request, ask: Ask) -> Element:
        filters = request.filters()
        states = filters.pop("instance-state-name", ())
        wanted = request.filtered(filters).but(MaxResults=None, NextToken=None)
        answer = await ask(wanted)
        if answer.code:
            raise Refused(answer.code, text(answer.tree, "Errors/Error/Message"), answer.status)
        tree = answer.tree
        if states:
            keep(tree, lambda found: text(found, "instanceState/name") in states)
        return tree

    def _page(self, tree: Element, first: int, size: int) -> Element:
        found = list(instances(tree))
        if not size or len(found) <= size:
            return tree
        page = _copied(tree, {text(one, "instanceId") for one in found[first : first + size]})
        more = first + size < len(found)
        say(page, "nextToken", self._token(tree, first + size) if more else None)
        return page

    def _token(self, tree: Element, first: int) -> str:
        token = f"page-{next(self._numbers)}"
        self._pages[token] = (tree, first)
        return token


def _copied(tree: Element, ids: Collection[str]) -> Element:
    """Return the answer with these instances only; what is kept is not copied but shared."""
    page, reservations = Element(tree.tag), Element("reservationSet")
    for reservation in tree.findall("reservationSet/item"):
        shown = Element("instancesSet")
        of = reservation.find("instancesSet")
        shown.extend(
            one for one in (of if of is not None else ()) if text(one, "instanceId") in ids
        )
        if len(shown):
            item = Element("item")
            item.extend(one for one in reservation if one.tag != "instancesSet")
            item.append(shown)
            reservations.append(item)
    page.append(reservations)
    return page


def keep(tree: Element, shown: Callable[[Element], bool]) -> None:
    """Take out of an answer the instances that are not shown."""
    reservations = tree.find("reservationSet")
    for reservation in list(reservations if reservations is not None else ()):
        found = reservation.find("instancesSet")
        assert found is not None
        for one in [one for one in found if not shown(one)]:
            found.remove(one)
        if not len(found) and reservations is not None:
            reservations.remove(reservation)

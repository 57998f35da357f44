"""All pages of a server that shows a hundred reservations at a time."""

from ..wire import Answer, Ask, Request, say, text


async def everything(request: Request, ask: Ask) -> Answer:
    """Have DescribeInstances answer all there is, in one piece."""
    if request.action != "DescribeInstances":
        return await ask(request)
    many = {} if request.list("InstanceId") else {"MaxResults": "1000"}
    answer = await ask(request.but(**many))
    token = "" if answer.code else text(tree := answer.tree, "nextToken")
    if not token:
        return answer
    whole = tree.find("reservationSet")
    assert whole is not None
    while token:
        page = (await ask(request.but(**many, NextToken=token))).tree
        whole.extend(page.findall("reservationSet/item"))
        token = text(page, "nextToken")
    say(tree, "nextToken", None)
    return Answer.of(tree)

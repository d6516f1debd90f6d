"""A server whose answers depend on which interpreter it runs under; another one is given one folder to import from and not many."""

import os
from typing import ClassVar

from killpoint import Client, Host, Scenario, operation


async def serve(host: Host) -> None:
    while True:
        message = await host.receive()
        message.reply(os.environ["PYTHONPATH"].count(os.pathsep) == 0)


class Interpreter(Scenario):
    hosts: ClassVar = {"n1": serve}

    @operation()
    async def ask(self, client: Client) -> object:
        return await client.request("n1", "ask", timeout=1)

"""Drives a Debian WebSocket client by commands: `driver.py websockets` or `driver.py websocket`.

One command a line on standard input, a JSON object; one answer a line on standard output. The commands are those
of w3c.mjs, and say what came in the same words: {"text"}, {"binary"} in base64, {"close": {"code", "reason"}}.
"""
import asyncio
import base64
import json
import sys

NO_CODE, BROKEN = 1005, 1006


def unpack(item):
    return item["text"] if "text" in item else base64.b64decode(item["binary"])


def pack(data):
    return {"text": data} if isinstance(data, str) else {"binary": base64.b64encode(data).decode()}


def closed(code, reason):
    return {"close": {"code": code, "reason": reason}}


class Client:
    """Nothing is read that was not asked for, so a pause needs nothing."""

    async def pause(self):
        pass

    async def resume(self):
        pass


class Websockets(Client):
    """python3-websockets, on asyncio."""

    async def open(self, url, protocols):
        import websockets
        self.ended = websockets.ConnectionClosed
        try:
            self.socket = await websockets.connect(
                url, subprotocols=protocols or None, max_size=None, ping_interval=None)
        except websockets.InvalidStatusCode as refused:
            return {"refused": {"status": refused.status_code}}
        extensions = self.socket.response_headers.get("Sec-WebSocket-Extensions", "")
        return {"protocol": self.socket.subprotocol or "", "extensions": extensions}

    async def send(self, message):
        await self.socket.send(unpack(message))

    async def fragments(self, parts):
        await self.socket.send([unpack(part) for part in parts])

    async def next(self):
        try:
            return pack(await self.socket.recv())
        except self.ended:
            return closed(self.socket.close_code, self.socket.close_reason)

    async def ping(self, data):
        await (await self.socket.ping(data))

    async def close(self, code, reason):
        await self.socket.close(code, reason)


class WebsocketClient(Client):
    """python3-websocket, which blocks, and sees a ping or a close only when it is asked for the next message."""

    async def open(self, url, protocols):
        import websocket
        self.lib = websocket
        try:
            self.socket = websocket.create_connection(url, subprotocols=protocols or None)
        except websocket.WebSocketBadStatusException as refused:
            return {"refused": {"status": refused.status_code}}
        return {"protocol": self.socket.getsubprotocol() or "",
                "extensions": self.socket.getheaders().get("sec-websocket-extensions", "")}

    def opcode(self, data):
        return self.lib.ABNF.OPCODE_TEXT if isinstance(data, str) else self.lib.ABNF.OPCODE_BINARY

    async def send(self, message):
        data = unpack(message)
        self.socket.send(data, self.opcode(data))

    async def fragments(self, parts):
        parts = [unpack(part) for part in parts]
        for i, data in enumerate(parts):
            opcode = self.opcode(data) if i == 0 else self.lib.ABNF.OPCODE_CONT
            self.socket.send_frame(self.lib.ABNF.create_frame(data, opcode, int(i == len(parts) - 1)))

    async def next(self):
        try:
            opcode, frame = self.socket.recv_data_frame()
        except (self.lib.WebSocketConnectionClosedException, OSError):
            return closed(BROKEN, "")
        if opcode == self.lib.ABNF.OPCODE_CLOSE:
            code = int.from_bytes(frame.data[:2], "big") or NO_CODE
            return closed(code, frame.data[2:].decode())
        return pack(frame.data.decode() if opcode == self.lib.ABNF.OPCODE_TEXT else frame.data)

    async def ping(self, data):
        self.socket.ping(data)
        while True:
            opcode, frame = self.socket.recv_data_frame(control_frame=True)
            if opcode == self.lib.ABNF.OPCODE_PONG and frame.data == data.encode():
                return

    async def close(self, code, reason):
        self.socket.send_close(code, reason.encode())


async def main(client):
    sockets = {}
    read_line = sys.stdin.readline
    while line := await asyncio.get_running_loop().run_in_executor(None, read_line):
        command = json.loads(line)
        op, number = command.pop("op"), command.pop("id")
        socket = sockets.setdefault(number, client()) if op == "open" else sockets[number]
        print(json.dumps(await getattr(socket, op)(**command)), flush=True)


asyncio.run(main({"websockets": Websockets, "websocket": WebsocketClient}[sys.argv[1]]))

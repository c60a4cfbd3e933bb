"""An agent like the one on the PC, built on the same library. Tells what happens in lines of JSON.

Told by the environment: SERVER_URL, API_KEY; CA_FILE (whom to trust), CONNECT_TO (host:port to connect
to instead of the URL's), PINGS=off (the library's own pings switched off).
"""

import asyncio
import json
import os
import ssl

import websockets

# What the real agent waits before it connects again, whatever ended the connection.
RECONNECT_SECONDS = 5


def tell(event, **more):
    print(json.dumps({"event": event, **more}, ensure_ascii=False), flush=True)


async def answer(text):
    """«подожди N» takes N milliseconds; everything else is done at once."""
    words = text.split()
    if len(words) == 2 and words[0] == "подожди":
        await asyncio.sleep(int(words[1]) / 1000)
    return f"Сделано: {text}"


async def serve(socket):
    tell("connected")
    async for message in socket:
        command = json.loads(message)
        tell("command", text=command["text"])
        text = await answer(command["text"])
        await socket.send(json.dumps({"id": command["id"], "text": text}, ensure_ascii=False))


async def main():
    url = f"{os.environ['SERVER_URL']}?key={os.environ['API_KEY']}"
    options = {}
    if os.environ.get("CA_FILE"):
        options["ssl"] = ssl.create_default_context(cafile=os.environ["CA_FILE"])
    if "CONNECT_TO" in os.environ:
        host, port = os.environ["CONNECT_TO"].rsplit(":", 1)
        options.update(host=host, port=int(port))
    if os.environ.get("PINGS") == "off":
        options["ping_interval"] = None
    while True:
        try:
            async with websockets.connect(url, **options) as socket:
                await serve(socket)
            tell("disconnected", code=socket.close_code, reason=socket.close_reason)
        except websockets.ConnectionClosed as closed:
            received = closed.rcvd
            tell("disconnected", code=received.code if received else None, reason=str(closed))
        except (OSError, websockets.WebSocketException, asyncio.TimeoutError) as error:
            tell("refused", reason=str(error))
        await asyncio.sleep(RECONNECT_SECONDS)


asyncio.run(main())

"""A small agent in Python, made to be copied. It speaks protocol v2 (docs/agents.md).

    pip install websockets
    SERVER_URL=wss://your-domain.com/ws API_KEY=… python agent.py
"""
import asyncio
import contextlib
import json
import os
import platform
import time
import urllib.request
from collections import deque
from concurrent.futures import ThreadPoolExecutor
import websockets

# It counts on while the PC sleeps, as Windows' monotonic clock does by itself.
CLOCK = getattr(time, "CLOCK_BOOTTIME", None)
# One command after another, the last link's before the next one's.
WORKER = ThreadPoolExecutor(1)

def counted():
    return (time.monotonic() if CLOCK is None else time.clock_gettime(CLOCK)) * 1000


def carry_out(command):
    """What this agent can do, in a thread of its own. Put your own commands here."""
    if command["text"] == "системная информация":
        return f"{platform.system()} {platform.release()}, Питон {platform.python_version()}."
    return f"Вы сказали: {command['text']}"


async def answer(socket, command, text, ok=True):
    await socket.send(json.dumps({"id": command["id"], "ok": ok, "text": text}, ensure_ascii=False))


async def work(socket, waiting):
    while True:
        command = await waiting.get()
        try:
            said = await asyncio.get_running_loop().run_in_executor(WORKER, carry_out, command)
            text, ok = str(said), True
        except Exception as error:
            text, ok = f"Ошибка: {error}", False
        with contextlib.suppress(websockets.ConnectionClosed):
            await answer(socket, command, text, ok)


async def serve(socket):
    # How far the relay's clock was ahead whenever it told the time. One that was read late is too small.
    offsets, waiting = deque(maxlen=2), asyncio.Queue(64)
    worker = asyncio.create_task(work(socket, waiting))
    print("connected", flush=True)
    try:
        async for message in socket:
            command = json.loads(message)
            if "id" not in command:
                offsets.append(command["now"] - counted())
            # Judged beside the work: a PC that has slept must not carry out what was given up meanwhile.
            elif counted() + max(offsets) > command["until"]:
                await answer(socket, command, "Команда пришла слишком поздно и не выполнена.", ok=False)
            elif waiting.full():
                await answer(socket, command, "Слишком много команд сразу.", ok=False)
            else:
                waiting.put_nowait(command)
    finally:
        # Whoever said what still waits is told that it is lost.
        worker.cancel()


async def main():
    headers = {"Authorization": f"Bearer {os.environ['API_KEY']}"}
    options = {"additional_headers": headers, "subprotocols": ["home-alice.v2"]}
    while True:
        try:
            async with websockets.connect(os.environ["SERVER_URL"], **options) as socket:
                await serve(socket)
            print("the relay closed the connection", flush=True)
        except Exception as error:
            proxies = ", ".join(f"{kind}_proxy" for kind in urllib.request.getproxies() if kind != "no")
            hint = f" (through a proxy? The environment sets {proxies})" if proxies else ""
            print(f"not connected: {error}{hint}", flush=True)
        await asyncio.sleep(5)


asyncio.run(main())

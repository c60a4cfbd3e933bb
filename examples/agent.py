"""A small agent in Python, made to be copied. It speaks the second format (docs/agents.md).

    pip install websockets
    SERVER_URL=wss://your-domain.com/ws API_KEY=… python agent.py
"""
import asyncio
import json
import os
import platform
import time
import websockets

# It counts on while the PC sleeps, as Windows' monotonic clock does by itself.
CLOCK = getattr(time, "CLOCK_BOOTTIME", None)

def counted():
    return (time.monotonic() if CLOCK is None else time.clock_gettime(CLOCK)) * 1000


def carry_out(command):
    """What this agent can do, in a thread of its own. Put your own commands here."""
    if command["text"] == "системная информация":
        return f"{platform.system()} {platform.release()}, Питон {platform.python_version()}."
    return f"Вы сказали: {command['text']}"


async def work(socket, command, relay_time):
    # Judged when it is read: a PC that has slept must not carry out what was given up meanwhile.
    if relay_time() > command["until"]:
        answer = {"ok": False, "text": "Команда пришла слишком поздно и не выполнена."}
    else:
        try:
            answer = {"text": await asyncio.to_thread(carry_out, command)}
        except Exception as error:
            answer = {"ok": False, "text": f"Ошибка: {error}"}
    await socket.send(json.dumps({"id": command["id"], **answer}, ensure_ascii=False))


async def serve(socket):
    offset = json.loads(await socket.recv())["now"] - counted()
    print("connected", flush=True)
    tasks = set()
    async for message in socket:
        tasks.add(task := asyncio.create_task(work(socket, json.loads(message), lambda: counted() + offset)))
        task.add_done_callback(tasks.discard)


async def main():
    headers = {"Authorization": f"Bearer {os.environ['API_KEY']}"}
    options = {"additional_headers": headers, "subprotocols": ["home-alice.v2"]}
    while True:
        try:
            async with websockets.connect(os.environ["SERVER_URL"], **options) as socket:
                await serve(socket)
        except (OSError, websockets.WebSocketException, asyncio.TimeoutError) as error:
            print(f"not connected: {error}", flush=True)
        await asyncio.sleep(5)


asyncio.run(main())

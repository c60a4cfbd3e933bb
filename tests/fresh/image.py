"""An image of the relay on the engine: what is in it, its health, and a turn to an agent and back. Started by `images`:
image.py AGENT IMAGE…"""

import contextlib
import io
import json
import platform
import re
import struct
import subprocess
import sys
import tarfile
import time
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "container"))
from harness import USER, Events, Lines, Log, docker, inspect, turn  # noqa: E402

KEY = "0123456789abcdef0123456789abcdef"
SECRET = "webhook-secret_0123456789"
# Of the binary and of the memory at rest, on x86_64: 1.48 and 1.55 MB were seen, 1.4 are aimed at.
MOST = 1.6e6
# The processor that an image's tag names, as the header of a program has it.
MACHINES = {"x86_64": 62, "aarch64": 183}
INTERPRETER = 3


def binary(container: str) -> bytes:
    """The program, as it lies in the container."""
    copied = subprocess.run(["docker", "cp", f"{container}:/home-alice-relay", "-"], capture_output=True, check=True)
    with tarfile.open(fileobj=io.BytesIO(copied.stdout)) as archive:
        return archive.extractfile("home-alice-relay").read()


def machine(program: bytes) -> int:
    """Which processor a static program is for."""
    number, = struct.unpack_from("<H", program, 18)
    headers, = struct.unpack_from("<Q", program, 32)
    size, count = struct.unpack_from("<HH", program, 54)
    kinds = [struct.unpack_from("<I", program, headers + n * size)[0] for n in range(count)]
    assert kinds and INTERPRETER not in kinds, "it is not static"
    assert b"GLIBC_TUNABLES" not in program, "it is not musl's"
    return number


def ask(port: str, command: str) -> str:
    body = json.dumps(turn(command, USER)).encode()
    request = urllib.request.Request(f"http://{port}/alice/webhook/{SECRET}", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=20) as response:
        return json.load(response)["response"]["text"]


def memory(container: str) -> int:
    status = Path(f"/proc/{inspect(container, '{{.State.Pid}}')}/status").read_text()
    return int(re.search(r"^VmRSS:\s+(\d+) kB$", status, re.M)[1]) * 1024


def passes(image: str, agent: str, events: Events) -> None:
    processor = image.partition(":")[2]
    native, name = processor == platform.machine(), image.replace(":", "-")
    # The health check is the image's own; only its first half minute is not waited for.
    begun = time.time()
    docker("run", "-d", "--name", name, "--health-interval", "1s", "-p", "127.0.0.1::8080",
           "-e", f"API_KEY={KEY}", "-e", f"WEBHOOK_SECRET={SECRET}", image)  # fmt: skip
    log = Log(name, begun)
    log.expect("Relay started on", 30)
    program = binary(name)
    assert machine(program) == MACHINES[processor], (processor, machine(program))
    events.of(name, "health_status: healthy", 30, begun)
    port = docker("port", name, "8080/tcp")
    assert "не на связи" in ask(port, "системная информация")
    connected = {"RELAY_URL": f"ws://{port}/ws", "API_KEY": KEY}
    with contextlib.closing(Agent(agent, connected)):
        log.expect("Agent connected", 30)
        said = ask(port, "системная информация")
        assert said.startswith("Ядер: "), said
        resting = memory(name)
    log.expect("Agent disconnected", 30)
    docker("stop", name)
    assert inspect(name, "{{.State.ExitCode}}") == "0"
    log.end()
    docker("rm", name)
    at_rest = f"{resting / 1e6:.2f} MB at rest" if native else "in qemu"
    print(f"ok    images: {processor}: {len(program) / 1e6:.2f} MB, static; healthy, a turn there and back; {at_rest}", flush=True)
    assert not native or max(len(program), resting) < MOST, (len(program), resting)


class Agent(Lines):
    """examples/agent.rs."""

    def __init__(self, program: str, environment: dict):
        super().__init__([program], parse=lambda line: {"line": line}, env=environment)

    close = Lines.end


events = Events()
for one in sys.argv[2:]:
    passes(one, sys.argv[1], events)
events.end()

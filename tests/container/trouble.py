"""The tables of errors: each row is made to happen."""

import re
import time

from harness import DOMAIN, MARK, NETWORK, RELAY, Log, docker, log_of, run
from option3 import agent_in_network, nothing_leaks
from world import World


def table(world: World, proxy):
    row = world.document.row_is_seen
    env = world.clone / ".env"
    env_before = env.read_text()

    # No secrets but the placeholders, then one of them, then an empty one.
    example = (world.clone / ".env.example").read_text()
    with_key = example.replace("\nAPI_KEY=put-the-output-of-openssl-rand-hex-32-here", f"\nAPI_KEY={world.key}")
    assert with_key != example
    without = re.sub("^WEBHOOK_SECRET=.*\n", "", env_before, flags=re.M)
    assert without != env_before
    for content, said in (
        (example, "API_KEY still holds the placeholder of .env.example: …"),
        (with_key, "WEBHOOK_SECRET still holds the placeholder of .env.example: …"),
        (f"{without}WEBHOOK_SECRET=\n", "WEBHOOK_SECRET holds an empty secret: …"),
        (f"{without}WEBHOOK_SECRET='{'x' * 20} '\n",
         "WEBHOOK_SECRET holds white space or a control character, such as a space or a Windows line ending "
         "behind it: …"),
        (f"{env_before}ALICE_SKILL_ID=https://dialogs.yandex.ru/developer/skills/x\n",
         "ALICE_SKILL_ID is …: copy the id alone from the relay's log, without quotes, a name or an address"),
        (re.sub("^API_KEY=.*$", "API_KEY=file", env_before, flags=re.M), "… but API_KEY_FILE is not set: …"),
    ):  # fmt: skip
        env.write_text(content)
        begun = time.time()
        world.up()
        world.events.of(RELAY, "die", 20, after=begun)
        row(said, log_of(RELAY))
    # Docker waits longer each time, so it is soon seen between two starts.
    deadline = time.monotonic() + 30
    while not (state := docker("ps", "--filter", f"name=^{RELAY}$", "--format", "{{.Status}}")).startswith("Rest"):
        assert time.monotonic() < deadline, state
    row("Restarting (2) …", state)
    world.compose("stop")

    # What a Compose can't read, and what it reads otherwise.
    for broken in (env_before.replace("WEBHOOK_SECRET=", 'WEBHOOK_SECRET="'), f"{env_before}a line that is none\n"):
        env.write_text(broken)
        for subcommand in (("up", "-d", "--no-build"), ("stop",), ("down",), ("logs",)):
            refused = world.compose(*subcommand, check=False)
            assert refused.returncode != 0, refused
            row("failed to read …/.env: line …: …", refused.stdout)
    env.write_text(env_before.replace("API_KEY=", "API_KEY=a$b"))
    printed = world.compose("config").stdout
    row("variable is not set. Defaulting to a blank string.", printed)
    assert re.search("^ *API_KEY: a$", printed, re.M), printed
    env.write_text(env_before.replace("WEBHOOK_SECRET=", "WEBHOOK_SECRET: "))
    printed = world.compose("config", old=True)
    row("Python-dotenv could not parse statement starting at line …", printed.stdout)
    assert re.search("^ *WEBHOOK_SECRET: open$", printed.stdout, re.M), printed.stdout
    env.write_text(env_before)
    old_compose_on_a_new_engine(world)

    # No such program; too little memory; an address that isn't there.
    nothing_here = {**world.environment, "PATH": "/nonexistent"}
    row("docker-compose: command not found",
        run("/bin/bash", "-c", "docker-compose up -d", env=nothing_here, check=False).stdout)  # fmt: skip
    row("docker: command not found",
        run("/bin/bash", "-c", "docker network ls", env=nothing_here, check=False).stdout)  # fmt: skip
    killed = world.work / "killed"
    killed.write_text("#!/bin/sh\nkill -9 $$\n")
    killed.chmod(0o755)
    row("(signal: 9, SIGKILL: kill)",
        run("cargo", "build", "--locked", "--offline", cwd=world.clone, check=False,
            env={**world.environment, "RUSTC_WRAPPER": str(killed)}).stdout)  # fmt: skip
    row("can't listen on … (LISTEN_ADDR): … (os error 99); this machine has no such address: name one of its own, or wait "
        "until Docker's network is up",
        docker("run", "--rm", "--name", f"{MARK}-nowhere", "-e", "LISTEN_ADDR=10.9.9.9:8080",
               "-e", f"API_KEY={world.key}", RELAY, check=False))  # fmt: skip

    words_of_the_c_libraries(world)

    # An address that the container alone reaches, and another port: the health check follows to both.
    for address, started, reached in (("127.0.0.1:8080", "127.0.0.1:8080", False), (":9090", ":9090", True)):
        env.write_text(f"{env_before}LISTEN_ADDR={address}\n")
        world.up()
        log = Log(RELAY, 0)
        log.expect(f"Relay started on {started}", 20)
        log.end()
        docker("exec", RELAY, "/home-alice-relay", "healthcheck")
        assert ("LISTEN_ADDR is" in log_of(RELAY)) != reached, log_of(RELAY)
        if not reached:
            row("LISTEN_ADDR is …: in a container that is the container itself, which no proxy outside reaches. "
                "Write LISTEN_ADDR=:…", log_of(RELAY))  # fmt: skip
            assert proxy.request("GET", "/health")[0] == 502
    env.write_text(env_before)

    # No secret for the webhook: it runs, and warns.
    env.write_text(without)
    world.up()
    status, _, outcome = proxy.turn("громче", path="/alice/webhook")
    assert (status, outcome) == (200, "no-agent"), (status, outcome)
    row("Open: whoever learns the webhook's address can command the computer …", log_of(RELAY))
    env.write_text(env_before)
    world.up()

    # The skill's address without the secret, and with another one.
    for path in ("/alice/webhook", f"{proxy.webhook()}x", f"{proxy.webhook()}/"):
        status, body, _ = proxy.turn("громче", path=path)
        assert status == 404, status
        row('{"error":"there is nothing here"}', body)
    # With GET, but by no browser.
    status, _, body = proxy.request("GET", "/nothing")
    assert status == 404, status
    row('{"error":"there is nothing here"}', body)
    status, _, body = proxy.request("GET", proxy.webhook())
    assert status == 405, status
    row('{"error":"use POST here"}', body)
    row("A request from … was for a wrong webhook address: the skill's must end in /alice/webhook/ and the "
        "WEBHOOK_SECRET", log_of(RELAY))  # fmt: skip

    # A wrong key, and none.
    agent = world.agent(proxy, "0123456789abcdef")
    refused = agent.expect("refused", 20)["reason"]
    agent.end()
    row("Agent rejected from …: wrong or missing key; it must be the relay's API_KEY", log_of(RELAY))
    row("server rejected WebSocket connection: HTTP 401", refused)
    world.document.case_is_made("Agent won't connect")
    status, _, body = proxy.request("GET", "/ws")
    assert status == 401, status
    row('{"error":"wrong or missing key; it must be the relay\'s API_KEY"}', body)

    # The agent's address: without the path, of another scheme, where Force SSL leads on, and to a port
    # without TLS.
    for settings, said in (
        ({"SERVER_URL": f"wss://{DOMAIN}"}, "server rejected WebSocket connection: HTTP 404"),
        ({"SERVER_URL": f"wss://{DOMAIN}/ws/"}, "server rejected WebSocket connection: HTTP 404"),
        ({"SERVER_URL": f"https://{DOMAIN}/ws"}, "isn't a valid URI: scheme isn't ws or wss"),
        ({"SERVER_URL": f"ws://{DOMAIN}/ws", "CA_FILE": "", "CONNECT_TO": f"127.0.0.1:{proxy.plain_port}"},
         "isn't a valid URI: scheme isn't ws or wss"),
    ):  # fmt: skip
        agent = world.agent(proxy, **settings)
        row(said, agent.expect("refused", 20)["reason"])
        agent.end()
    row("Agent rejected from …: it wants a WebSocket where there is none; its address must end in /ws",
        log_of(RELAY))  # fmt: skip
    agent = agent_in_network(world, proxy, f"{MARK}-no-tls", connect_to=f"{RELAY}:8080")
    row("[SSL: WRONG_VERSION_NUMBER] wrong version number", agent.expect("refused", 20)["reason"])
    agent.end()
    docker("rm", "-f", f"{MARK}-no-tls")

    # Scheme https for the relay.
    tls = world.proxy("proxy-https", scheme="https")
    status, _, body = tls.request("GET", "/health", timeout=30)
    assert status == 502, status
    row("502 Bad Gateway", body)
    row("while SSL handshaking to upstream", log_of(tls.name))
    row("A connection from … sent data that is not HTTP/1.1. Check the proxy: it must use http, not https or HTTP/2, "
        "to reach the relay", log_of(RELAY))  # fmt: skip

    # Websockets Support off.
    agent = world.agent(proxy, host="no-websockets.your-domain.com")
    row("server rejected WebSocket connection: HTTP 426", agent.expect("refused", 20)["reason"])
    agent.end()
    row('not a WebSocket request; behind Nginx Proxy Manager, switch on "Websockets Support" for this '
        "proxy host…", log_of(RELAY))  # fmt: skip

    # The key changed under a connected agent.
    agent = world.agent(proxy)
    agent.expect("connected", 20)
    seen = len(agent.seen)
    env.write_text(env_before.replace(world.key, "another-key-0123456789abcdef"))
    world.up()
    agent.wait(lambda one: "HTTP 401" in one.get("reason", ""), 30, seen)
    row("server rejected WebSocket connection: HTTP 401", str(agent.seen[seen:]))
    agent.end()
    env.write_text(env_before)
    world.up()

    # The PC is slow.
    log = Log(RELAY)
    agent = world.agent(proxy)
    agent.expect("connected", 20)
    status, said, _ = proxy.turn("подожди 4500")
    row("Компьютер ещё выполняет команду. Спросите: «готово?»", said)
    row("Command …: too-late after … ms", log.expect("too-late", 5)["line"])
    # The agent takes the next one when it is through with this one, whose answer is told first.
    status, said, outcome = proxy.turn("громче")
    assert outcome == "answered" and said.startswith("Сделано: подожди 4500"), (status, said, outcome)

    # A second agent with the same key.
    second = world.agent(proxy)
    row("The agent was replaced 3 times within a minute: two agents seem to share one key. Stop one of them",
        log.expect("two agents", 40)["line"])  # fmt: skip
    row("Agent disconnected (…): a newer connection replaced it", log.expect("a newer", 5)["line"])
    second.end()
    agent.end()

    # The agent's machine goes off the network without a word.
    agent = agent_in_network(world, proxy, f"{MARK}-half-open")
    agent.expect("connected", 20)
    docker("network", "disconnect", "-f", NETWORK, f"{MARK}-half-open")
    # A line counts as alive for 2 s after the last sign.
    time.sleep(2.5)
    status, said, outcome = proxy.turn("громче")
    assert outcome == "unsent", (status, said, outcome)
    row("Компьютер не отвечает, команда не отправлена. Возможно, компьютер спит.", said)
    row("Agent disconnected (…): nothing came from it for 41 s", log.expect("nothing came", 60)["line"])
    log.end()
    docker("rm", "-f", f"{MARK}-half-open")
    status, said, _ = proxy.turn("громче")
    row("Компьютер не на связи. Проверьте, включён ли он.", said)

    # The container does not run.
    agent = world.agent(proxy)
    agent.expect("connected", 20)
    world.compose("stop")
    agent.expect("disconnected", 20)
    assert RELAY not in world.compose("ps").stdout
    world.document.case_is_made("WebSocket disconnects")
    # For its first 10 s nginx knows the old address, and waits for it longer than the agent does.
    agent.wait(lambda one: "HTTP 502" in one.get("reason", ""), 60)
    row("server rejected WebSocket connection: HTTP 502", str(agent.seen))
    status, _, body = proxy.request("GET", "/health")
    assert status == 502, status
    row("502 Bad Gateway", body)
    world.document.case_is_made("502 Bad Gateway in NPM")
    assert proxy.turn("громче")[0] == 502
    agent.end()
    nothing_leaks(world, proxy)
    assert "GET /health" in log_of(proxy.name), "the proxy says nothing of a relay that is down"
    world.up()

    # The proxy is in another network.
    docker("network", "create", f"{MARK}-elsewhere")
    elsewhere = world.proxy("proxy-elsewhere", network=f"{MARK}-elsewhere")
    status, _, _ = elsewhere.request("GET", "/health")
    assert status == 502, status
    row("home-alice-relay could not be resolved (3: Host not found)", log_of(elsewhere.name))
    world.document.case_is_made("NPM can't see container")
    for old in (False, True):
        missing = world.compose("up", "-d", "--no-build", check=False, old=old, NPM_NETWORK="no-such-network")
        assert missing.returncode != 0
        row("… declared as external, but could not be found", missing.stdout)
    assert "Please create the network manually" in missing.stdout, missing.stdout


# Compose 1.29 sees of an image what an engine of version 26 or later tells: that field is gone.
WITHOUT_THE_FIELD = """
import docker.api.image
told = docker.api.image.ImageApiMixin.inspect_image
def inspect_image(self, image):
    described = told(self, image)
    described.pop("ContainerConfig", None)
    return described
docker.api.image.ImageApiMixin.inspect_image = inspect_image
"""


def old_compose_on_a_new_engine(world: World, stand_in=True):
    """1.29 takes the relay down at a changed setting; the way out is the row's. The new engine may be stood in for."""
    world.up()
    folder = world.work / "without-the-field"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(WITHOUT_THE_FIELD if stand_in else "")
    failed = world.compose("up", "-d", "--no-build", old=True, check=False, PYTHONPATH=str(folder), LOG_LEVEL="debug")
    assert failed.returncode != 0, failed.stdout
    world.document.row_is_seen("KeyError: 'ContainerConfig'", failed.stdout)
    assert docker("ps", "-q", "--filter", f"name={RELAY}$", "--filter", "status=running") == "", "it was not taken down"
    world.compose("down", "--remove-orphans")
    world.compose("up", "-d")
    assert docker("ps", "-a", "--filter", f"name={RELAY}$", "--format", "{{.Names}}") == RELAY


def words_of_the_c_libraries(world: World):
    """What each calls the error of an address that isn't there."""
    source = world.work / "words.c"
    source.write_text('#include <stdio.h>\n#include <string.h>\nint main(void) { puts(strerror(99)); }\n')
    for compiler, words in (("gcc", "Cannot assign requested address"), ("musl-gcc", "Address not available")):
        run(compiler, "-o", world.work / "words", source)
        assert run(world.work / "words").stdout == f"{words}\n"
        assert f"`{words}`" in world.document.text, words

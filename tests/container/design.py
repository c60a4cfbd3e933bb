"""The user's own design of this deployment (2026-02-14): each of its commands is pasted as it stands there, on the newest
Compose and on 1.29. Of the server that it was for are the address to clone from and the folders alone."""

import json
import os
import time

from harness import DOMAIN, NETWORK, RELAY, Lines, Log, docker, inspect, run
from world import NEWEST, REPOSITORY, World

ENV = """\
cat > .env <<EOF
API_KEY=$(openssl rand -hex 32)
LISTEN_ADDR=:8080
EOF

# Save API_KEY - needed for Agent
cat .env
"""


class Clone:
    """A clone like the design's, with one Compose, and the versions that it is led through."""

    def __init__(self, world: World, compose: str):
        self.world = world
        self.environment = world.environment_with(compose)
        self.origin = world.work / "design.git"
        if not self.origin.exists():
            versions(world, self.origin)
        self.folder = world.work / f"design-{compose}" / "relay"
        self.folder.parent.mkdir(exist_ok=True)

    def begin(self, version: str, newer: str):
        """A fresh clone that is at this version, and pulls the newer one."""
        run("rm", "-rf", self.folder)
        run("git", "clone", "-q", self.origin, self.folder)
        run("git", "checkout", "-q", "-B", "main", "--track", f"origin/{newer}", cwd=self.folder)
        run("git", "reset", "-q", "--hard", version, cwd=self.folder)

    def paste(self, text: str, check=True, timeout=300) -> str:
        """What it prints. It ends in a line that fails, if one does and `check` says so."""
        return run("bash", "-euc", text, cwd=self.folder, env=self.environment, check=check, timeout=timeout).stdout

    def follow(self, text: str, expected: str):
        """A command that goes on until Ctrl-C: it prints this."""
        seen = Lines(["bash", "-euc", f"exec {text}"], parse=lambda line: {"line": line}, cwd=self.folder,
                     env=self.environment)  # fmt: skip
        try:
            assert seen.wait(lambda one: expected in one["line"], 20), (text, seen.seen)
        finally:
            seen.end()

    def version(self) -> str:
        """Which version's relay runs, by what it says at its start."""
        log = Log(RELAY, 0)
        try:
            return log.expect("started on :8080", 20)["line"].split("] ")[-1]
        finally:
            log.end()


def versions(world: World, origin):
    """`previous-version` is what is tested; `newer` says another word at its start; `former` and `former-newer` are the
    same two, but the first one's service has its former name."""
    work = world.work / "design-versions"

    def git(*arguments):
        return run("git", *arguments, cwd=work, env=world.environment)

    run("git", "clone", "-q", "--bare", REPOSITORY, origin)
    run("git", "clone", "-q", origin, work)
    git("tag", "previous-version")
    source = work / "src" / "relay.rs"
    text = source.read_text()
    assert text.count('"Relay started on {address}"') == 1
    git("checkout", "-q", "-B", "newer")
    source.write_text(text.replace('"Relay started on', '"Newer relay started on'))
    git("commit", "-qam", "A newer version")
    git("checkout", "-q", "-B", "former", "previous-version")
    compose = work / "docker-compose.yml"
    text = compose.read_text()
    former = text.replace(f"\nservices:\n  {RELAY}:\n", "\nservices:\n  relay:\n")
    assert former != text
    compose.write_text(former)
    git("commit", "-qam", "The service has its former name")
    git("checkout", "-q", "-B", "former-newer")
    compose.write_text(text)
    source.write_text(source.read_text().replace('"Relay started on', '"Newer relay started on'))
    git("commit", "-qam", "A newer version of it")
    git("push", "-q", "origin", "newer", "former", "former-newer", "refs/tags/previous-version")


def healthy(proxy, connected: bool):
    """Waits until the proxy finds the relay, whose address may be another one now."""
    deadline = time.monotonic() + 30
    while True:
        try:
            return proxy.healthy(connected)
        except AssertionError:
            assert time.monotonic() < deadline, "the proxy does not find the relay"
            time.sleep(0.2)


def commands(world: World, proxy, compose: str):
    """From its sections 3 to 6, in their order."""
    world.compose("down")
    clone = Clone(world, compose)
    clone.begin("previous-version", newer="newer")
    paste, follow = clone.paste, clone.follow

    # Initial deployment. It knows no secret for the webhook.
    env = paste(ENV)
    key = env.split("API_KEY=")[1].split("\n")[0]
    assert len(key) == 64 and "LISTEN_ADDR=:8080" in env, env
    assert NETWORK in paste("docker network ls | grep nginx_default")
    paste("docker-compose build", timeout=600)
    paste("docker-compose up -d --build", timeout=600)
    assert "LISTEN_ADDR=:8080" in inspect(RELAY, "{{.Config.Env}}")
    told = paste("docker-compose ps")
    assert RELAY in told and "Up" in told, told
    follow("docker-compose logs -f", "Relay started on :8080")
    follow(f"docker-compose logs -f {RELAY}", "Relay started on :8080")
    follow("docker-compose logs -f --tail=100", "Relay started on :8080")
    # 1.29 does not know `--since`, and shows its help; DEPLOYMENT names what stands in for it.
    seen = paste("docker-compose logs --since 1h")
    assert ("Relay started on :8080" in seen) if compose == NEWEST else ("Usage: logs" in seen), seen
    instead = f"docker logs --since 1h {RELAY}"
    assert f"`{instead}`" in world.document.text and "Relay started on :8080" in paste(instead)
    assert "Relay started on :8080" in paste(f"docker logs {RELAY}")

    # Verification, with the agent's two lines, and what Alice would send to an address without a secret.
    environment = {**os.environ, "CURL_HOME": str(proxy.curl_home(world.work))}
    health = lambda: run("curl", f"https://{DOMAIN}/health", env=environment).stdout  # noqa: E731
    healthy(proxy, connected=False)
    assert health() == '{"status":"ok","agent_connected":false}', health()
    agent = world.agent(proxy, key)
    agent.expect("connected", 20)
    assert health() == '{"status":"ok","agent_connected":true}', health()
    assert proxy.turn("системная информация", path="/alice/webhook")[2] == "answered"

    # Management: each leaves it as it says, and the agent is back.
    paste("docker-compose stop")
    assert inspect(RELAY, "{{.State.Running}}") == "false"
    paste("docker-compose restart")
    assert inspect(RELAY, "{{.State.Running}}") == "true"
    seen = len(agent.seen)
    paste("docker-compose down\ndocker-compose up -d --build")
    agent.expect("connected", 40, seen)

    # An update, and the line to go back. Docker's health check is the image's.
    paste("git pull\ndocker-compose up -d --build")
    follow("docker-compose logs -f", "started on :8080")
    assert clone.version() == "Newer relay started on :8080"
    paste("docker-compose down && git checkout previous-version && docker-compose up -d")
    # As the design has it, it starts the image that is there: DEPLOYMENT's line builds.
    assert clone.version() == "Newer relay started on :8080"
    clone.paste(world.document.block("check out"))
    assert clone.version() == "Relay started on :8080"
    clone.paste(world.document.block("check out"))
    assert clone.version() == "Relay started on :8080"
    agent.end()
    paste("docker-compose down")


def former_name(world: World, proxy, compose: str):
    """Who has the old service name: what happens, and the block that leads over, with the way back kept."""
    row = world.document.row_is_seen
    clone = Clone(world, compose)
    clone.begin("origin/former", newer="former-newer")
    clone.paste(ENV)
    override = clone.folder / "docker-compose.override.yml"
    override.write_text("services:\n  relay:\n    environment:\n      LOG_LEVEL: debug\n")
    clone.paste("docker-compose up -d --build", timeout=600)
    image = inspect(RELAY, "{{.Image}}")

    # What a pull and `up` alone come to: the old one goes on, and the table knows the words.
    said = clone.paste("git pull\ndocker-compose up -d --build", check=False)
    row("relay… has neither an image nor a build context specified", said)
    kept = override.read_text()
    override.unlink()
    said = clone.paste("docker-compose up -d --no-build", check=False)
    row('The container name "/home-alice-relay" is already in use by container …', said)
    assert inspect(RELAY, "{{.State.Running}}") == "true"
    override.write_text(kept)

    container = None
    for _ in range(2):
        clone.paste(world.document.block("update"), timeout=600)
        assert clone.version() == "Newer relay started on :8080"
        assert inspect(f"{RELAY}:previous", "{{.Id}}") == image
        # Pasted again it leaves the container alone.
        assert container in (None, inspect(RELAY, "{{.Id}}")), "the container was made anew"
        container = inspect(RELAY, "{{.Id}}")
    assert inspect(RELAY, '{{index .Config.Labels "com.docker.compose.service"}}') == RELAY
    assert "LOG_LEVEL=debug" in inspect(RELAY, "{{.Config.Env}}")
    assert override.read_text() == kept.replace("  relay:", f"  {RELAY}:")
    assert docker("ps", "-aq", "--filter", f"name={RELAY}$").count("\n") == 0
    clone.paste(world.document.block("roll back"))
    assert clone.version() == "Relay started on :8080" and inspect(RELAY, "{{.Image}}") == image
    # Every 30 s, and three failures.
    health = json.loads(docker("image", "inspect", "--format", "{{json .Config.Healthcheck}}", RELAY))
    assert health["Interval"] == 30 * 10**9 and health["Retries"] == 3, health
    clone.paste("docker-compose down")
    docker("image", "rm", f"{RELAY}:previous")

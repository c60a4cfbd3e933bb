"""A server with nothing on it: Compose by either name, the name's address, the packages, and Nginx Proxy Manager."""

import json
import urllib.request

from document import Document
from harness import DOMAIN, MACHINE, MARK, NETWORK, RELAY, docker, run
from world import REPOSITORY, World

NPM = "jc21/nginx-proxy-manager:2"
# As the document has it.
ADDRESS = "203.0.113.7"


def machine(*commands: str, options=()) -> str:
    """What the commands print on a machine that has no Compose, one after the other in one shell."""
    # The image holds what packages bring, and Debian's own folder for what is put there by hand.
    return docker("run", "--rm", *options, MACHINE, "bash", "-euc", "\n".join(("mkdir -p /usr/local/bin", *commands)))


def npm(world: World):
    """NPM is there, but for its image, and has made its network. Its ports are this machine's, so it is not started."""
    if not docker("images", "-q", NPM):
        stand_in = world.work / "npm"
        stand_in.mkdir()
        (stand_in / "Dockerfile").write_text(f'FROM {MACHINE}\nCMD ["sleep", "infinity"]\n')
        docker("build", "-q", "-t", NPM, stand_in)
    world.do("npm", cwd=world.work, times=2, change=("docker-compose up -d", "docker-compose up --no-start"))
    container = run("docker-compose", "ps", "-q", cwd=world.work / "nginx", env=world.environment).stdout.strip()
    told = json.loads(docker("inspect", container))[0]
    ports = {port: told["HostConfig"]["PortBindings"][f"{port}/tcp"][0]["HostIp"] for port in (80, 443, 81)}
    assert ports == {80: "", 443: "", 81: "127.0.0.1"}, ports
    assert list(told["NetworkSettings"]["Networks"]) == [NETWORK], told["NetworkSettings"]
    assert {mount["Destination"] for mount in told["Mounts"]} == {"/data", "/etc/letsencrypt"}, told["Mounts"]
    world.do("npm network", cwd=world.work, told=True)
    # What was changed by hand stays.
    compose = world.work / "nginx" / "docker-compose.yml"
    changed = compose.read_text() + "# mine\n"
    compose.write_text(changed)
    world.do("npm", cwd=world.work, change=("docker-compose up -d", "docker-compose up --no-start"))
    assert compose.read_text() == changed


def server(world: World):
    """The other commands before the relay's own."""
    block = world.document.block
    docker_of_today = "printf '#!/bin/sh\\necho \"$@\"\\n' > /usr/bin/docker; chmod 755 /usr/bin/docker"
    said = machine("if command -v docker-compose; then exit 9; fi", docker_of_today, block("compose"), block("compose"),
                   "docker-compose up -d --build")  # fmt: skip
    assert said == "compose up -d --build", said
    # Debian 12's has no such plugin: there the name must stay free for the package that brings it.
    without = "printf '#!/bin/sh\\nexit 1\\n' > /usr/bin/docker; chmod 755 /usr/bin/docker"
    left = machine(without, block("compose"), "ls /usr/local/bin")
    assert left == "", left
    its_own = "printf '#!/bin/sh\\necho mine\\n' > /usr/bin/docker-compose; chmod 755 /usr/bin/docker-compose"
    assert machine(its_own, block("compose"), "docker-compose") == "mine", "it replaced the one that is there"

    world.document.is_told("name", machine(block("name"), options=("--add-host", f"{DOMAIN}:{ADDRESS}")))

    # The packages are Debian's; they are not installed over those that this engine runs on.
    programs = world.work / f"{MARK}-programs"
    programs.mkdir()
    (programs / "apt-get").write_text('#!/bin/sh\ncase "$1" in update) exit 0 ;; esac\nexec /usr/bin/apt-get --simulate "$@"\n')
    (programs / "apt-get").chmod(0o755)
    world.do("packages", cwd=world.work, times=2, path=programs)


def host_port(world: World):
    """For a proxy on the server itself: docs/proxies.md's block publishes the relay's port on the loopback address."""
    block = Document(REPOSITORY / "docs" / "proxies.md").block("host port")
    env, override = world.clone / ".env", world.clone / "docker-compose.override.yml"
    before = env.read_text()
    was_there = docker("network", "ls", "-q", "--filter", "name=^relay$")
    try:
        env.write_text(before.replace("NPM_NETWORK=nginx_default\n", ""))
        for _ in range(2):
            run("bash", "-euc", block, cwd=world.clone, env=world.environment, timeout=120)
            assert env.read_text().endswith("\nNPM_NETWORK=relay\n") and env.read_text().count("\nNPM_NETWORK") == 1
        assert docker("port", RELAY) == "8080/tcp -> 127.0.0.1:8080"
        with urllib.request.urlopen("http://127.0.0.1:8080/health", timeout=10) as answer:
            assert json.load(answer)["status"] == "ok"
        # What was changed by hand stays.
        override.write_text(override.read_text() + "# mine\n")
        run("bash", "-euc", block, cwd=world.clone, env=world.environment, timeout=120)
        assert override.read_text().endswith("# mine\n")
    finally:
        env.write_text(before)
        override.unlink(missing_ok=True)
        world.up()
        if not was_there:
            docker("network", "rm", "relay", check=False)
    world.report.figure("published for a proxy on the server itself", "127.0.0.1:8080, and nowhere else")

"""A server with nothing on it: Compose by either name, the name's address, the packages, and Nginx Proxy Manager."""

import json
import re
import urllib.request

from document import Document
from harness import DOMAIN, MACHINE, MARK, NETWORK, RELAY, docker, inspect, run
from world import REPOSITORY, World

NPM = "jc21/nginx-proxy-manager:2"
# As the document has it.
ADDRESS = "203.0.113.7"


def machine(*commands: str, options=()) -> str:
    """What the commands print on a machine that has no Compose, one after the other in one shell."""
    # The image holds what packages bring, and Debian's own folder for what is put there by hand.
    return docker("run", "--rm", *options, MACHINE, "bash", "-euc", "\n".join(("mkdir -p /usr/local/bin", *commands)))


def program(path: str, text: str) -> str:
    """The command that puts a shell script there."""
    return f"printf '%s\\n' '#!/bin/sh' '{text}' > {path}; chmod 755 {path}"


def stand_in_for(program, text: str):
    """A shell script under that program's name."""
    program.write_text(f"#!/bin/sh\n{text}\n")
    program.chmod(0o755)


def npm(world: World):
    """NPM is there, but for its image, and has made its network. Its ports are this machine's, so it is not started."""
    if not docker("images", "-q", NPM):
        stand_in = world.work / "npm"
        stand_in.mkdir()
        (stand_in / "Dockerfile").write_text(f'FROM {MACHINE}\nCMD ["sleep", "infinity"]\n')
        docker("build", "-q", "-t", NPM, stand_in)
    # The packages are Debian's; they are not installed over those that this engine runs on.
    programs = world.work / f"{MARK}-programs"
    programs.mkdir()
    stand_in_for(programs / "apt-get", 'case "$1" in update) exit 0 ;; esac; exec /usr/bin/apt-get --simulate "$@"')
    change = ("docker-compose up -d", "docker-compose up --no-start", "command -v docker >", "command -v nothing >")
    world.do("server", cwd=world.work, times=2, change=change, path=programs)
    container = run("docker-compose", "ps", "-aq", cwd=world.work / "nginx", env=world.environment).stdout.strip()
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
    world.do("server", cwd=world.work, change=change, path=programs)
    assert compose.read_text() == changed
    run("docker-compose", "down", cwd=world.work / "nginx", env=world.environment)
    world.do("server", cwd=world.work, change=change, path=programs)
    assert compose.read_text() == changed


def server(world: World):
    """The other commands before the relay's own."""
    # As its comments part it; who has another proxy stops before the last one.
    packages, compose, nginx = re.split("^# .+\n", world.document.block("server"), flags=re.M)[1:]
    assert "apt-get" in packages and "docker compose" in compose and "nginx/docker-compose.yml" in nginx
    twice = (compose, compose)
    ask = ("docker-compose up -d --build", "ls /usr/local/bin")
    plugin = program("/usr/bin/docker", 'if [ "$2" = version ]; then echo Docker Compose version v2; else echo "$@"; fi')
    without_plugin = program("/usr/bin/docker", "exit 1")
    # Neither name is there; then Debian 12's way to come to it, where the name must stay free for the package.
    said = machine("if command -v docker-compose; then exit 9; fi", plugin, *twice, *ask)
    assert said == "compose up -d --build\ndocker-compose", said
    assert machine(without_plugin, *twice, "ls /usr/local/bin") == ""
    # An old one beside the plugin, in Debian's folder and where it was put by hand: it is kept by another name.
    for place, left in (("/usr/bin", "docker-compose"), ("/usr/local/bin", "docker-compose\ndocker-compose-v1")):
        old = program(f"{place}/docker-compose", "echo docker-compose version 1.29.2, build unknown")
        said = machine(old, "docker-compose version", plugin, *twice, *ask)
        assert said == f"docker-compose version 1.29.2, build unknown\ncompose up -d --build\n{left}", said
        # Without the plugin it is the one that works.
        said = machine(old, without_plugin, *twice, "docker-compose up -d --build")
        assert said == "docker-compose version 1.29.2, build unknown", said
    # One of today stays.
    its_own = program("/usr/bin/docker-compose", "echo Docker Compose version 2.26.1-4")
    assert machine(its_own, plugin, *twice, "ls /usr/local/bin") == "", "it replaced the one that is there"

    name = world.document.block("name")
    world.document.is_told("name", machine(name, options=("--add-host", f"{DOMAIN}:{ADDRESS}")))

    # Where `docker` is a package of its own, as in Debian 13, it is among them; Ubuntu's Compose v2 has a name of its own; a
    # Docker that is there stays.
    programs = world.work / f"{MARK}-packages"
    programs.mkdir()
    stand_in_for(programs / "apt-get", 'echo "$@"')
    environment = {**world.environment, "PATH": f"{programs}:{world.environment['PATH']}"}
    without_docker = packages.replace("command -v docker >", "command -v nothing >")
    assert without_docker != packages
    for text, known, docker_packages in (
        (without_docker, "docker-cli", " docker.io docker-compose docker-cli"),
        (without_docker, "docker-compose-v2", " docker.io docker-compose-v2"),
        (packages, "docker-cli", ""),
    ):
        stand_in_for(programs / "apt-cache", f'case "$*" in *"^{known}\\$"*) echo "{known} - what it is" ;; esac')
        said = run("bash", "-euc", text, cwd=world.work, env=environment).stdout
        assert said == f"update\ninstall -y git openssl curl ca-certificates{docker_packages}\n", (known, said)


def host_port(world: World):
    """For a proxy on the server itself: docs/proxies.md's block publishes the relay's port on the loopback address."""
    block = Document(REPOSITORY / "docs" / "proxies.md").block("host port")
    env, override = world.clone / ".env", world.clone / "docker-compose.override.yml"
    before = env.read_text()
    was_there = docker("network", "ls", "-q", "--filter", "name=^relay$")
    image = inspect(f"{RELAY}:latest", "{{.Id}}")
    try:
        env.write_text(before.replace("NPM_NETWORK=nginx_default\n", ""))
        for _ in range(2):
            run("bash", "-euc", block, cwd=world.clone, env=world.environment, timeout=120)
            assert env.read_text().endswith("\nNPM_NETWORK=relay\n") and env.read_text().count("\nNPM_NETWORK") == 1
        assert docker("port", RELAY) == "8080/tcp -> 127.0.0.1:8080"
        with urllib.request.urlopen("http://127.0.0.1:8080/health", timeout=10) as answer:
            assert json.load(answer)["status"] == "ok"
        # As the page says, with the network there is now.
        world.do("option 3", told=True, timeout=600)
        # What was changed by hand stays.
        override.write_text(override.read_text() + "# mine\n")
        run("bash", "-euc", block, cwd=world.clone, env=world.environment, timeout=120)
        assert override.read_text().endswith("# mine\n")
    finally:
        env.write_text(before)
        override.unlink(missing_ok=True)
        # Step 4 built what had been pulled meanwhile.
        docker("tag", image, RELAY)
        world.up()
        if not was_there:
            docker("network", "rm", "relay", check=False)
    world.report.figure("published for a proxy on the server itself", "127.0.0.1:8080, and nowhere else")

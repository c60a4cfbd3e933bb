"""Without Docker: on a machine of its own that runs systemd.

That machine is a container too, so the address that the relay listens on is its own in the proxy's
network, where on a real server it is the network's gateway.
"""

import re
import time

from harness import MACHINE, MARK, NETWORK, docker, inspect, run
from world import World

SERVER = f"{MARK}-server"
UNIT = "home-alice-relay"


def shell(script: str, folder="/root", timeout=60, check=True):
    """Runs a script as root on that machine."""
    return run(
        "docker", "exec", "-w", folder, SERVER, "bash", "-euc", script, timeout=timeout, check=check
    )


def boot(world: World):
    # scp copies to this machine itself: there is no other one.
    scp = world.work / "scp"
    scp.write_text('#!/bin/sh\nset -e\nfor last; do :; done\n[ "$last" = root@your-server: ]\n'
                   'while [ "$1" != "$last" ]; do cp "$1" /root/; shift; done\n')  # fmt: skip
    scp.chmod(0o755)
    docker(
        "run", "-d", "--name", SERVER, "--network", NETWORK,
        "--cap-add", "SYS_ADMIN", "--cap-add", "NET_ADMIN", "--cap-add", "SYS_PTRACE",
        "--security-opt", "seccomp=unconfined", "--security-opt", "apparmor=unconfined",
        "--cgroupns", "host", "-v", "/sys/fs/cgroup:/sys/fs/cgroup",
        "--tmpfs", "/run", "--tmpfs", "/tmp:exec",
        "-v", f"{world.work}/origin.git:{world.work}/origin.git:ro",
        "-v", f"{world.work}/gitconfig:/root/.gitconfig:ro", "-v", f"{scp}:/usr/local/bin/scp:ro",
        MACHINE, "bash", "-c",
        # What a container lacks, and what must leave its network alone.
        "systemctl mask -q systemd-firstboot nginx systemd-networkd systemd-networkd.socket "
        "systemd-networkd-wait-online systemd-resolved systemd-timesyncd getty.target "
        "&& git config --system --add safe.directory '*' && exec /lib/systemd/systemd",
    )  # fmt: skip
    # The bus is there once systemd has started it; until then `docker exec` has nothing to ask.
    deadline = time.monotonic() + 30
    while shell("systemctl is-system-running --wait", check=False, timeout=30).stdout.strip() not in (
        "running",
        "degraded",
    ):
        assert time.monotonic() < deadline, docker("logs", SERVER)


def unit_file(world: World):
    """systemd's own opinion of the unit."""
    unit = f"/etc/systemd/system/{UNIT}.service"
    complaints = shell(f"systemd-analyze verify {unit}").stdout
    assert complaints == "", complaints
    opinion = shell(f"systemd-analyze security --offline=yes {unit}").stdout
    exposure = float(re.search(r"Overall exposure level for .*: ([\d.]+)", opinion)[1])
    world.report.figure("systemd-analyze verify; security (at most 1.5)", f"no complaint; {exposure}")
    assert exposure <= 1.5


def works(world: World, what: str, relay_says: int):
    """The unit runs, and its own tools answer."""
    seen = shell(world.document.block("systemd verify"), check=False)
    assert seen.returncode == relay_says, seen.stdout
    state = shell(f"systemctl show -p ActiveState,NRestarts,MainPID {UNIT}").stdout
    assert "ActiveState=active" in state, (what, state)
    return seen.stdout


def built_there(world: World):
    begun = time.monotonic()
    block = world.document.block
    for _ in range(2):
        shell(block("build there"), timeout=600)
    folder = "/root/home-alice-relay"
    shell(block("systemd environment"))
    made = shell("cat /etc/home-alice-relay.env").stdout
    shell(block("systemd environment"))
    assert shell("cat /etc/home-alice-relay.env").stdout == made, "pasted again, it changed the secrets"
    assert shell("stat -c %a /etc/home-alice-relay.env").stdout.strip() == "600"
    for _ in range(2):
        shell(block("systemd unit"), folder)
    said = works(world, "built there", relay_says=1)
    assert "Компьютер не на связи" in said, said
    world.report.figure("built there, from a clone to its first answer", f"{time.monotonic() - begun:.0f} s")
    unit_file(world)
    pid = shell(f"systemctl show -p MainPID --value {UNIT}").stdout.strip()
    status = shell(f"cat /proc/{pid}/status").stdout
    for name in ("CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert re.search(rf"^{name}:\s+0+$", status, re.M), status
    assert re.search(r"^NoNewPrivs:\s+1$", status, re.M) and re.search(r"^Seccomp:\s+2$", status, re.M)
    assert not re.search(r"^Uid:\s+0\s", status, re.M), status
    limits = shell(f"systemctl show -p MemoryMax,TasksMax,LimitNOFILE,StartLimitIntervalUSec {UNIT}").stdout
    for line in ("MemoryMax=134217728", "TasksMax=3072", "LimitNOFILE=8192", "StartLimitIntervalUSec=0"):
        assert line in limits, limits

    # The proxy, in its container, reaches it; the firewall lets its network in, and no other.
    network = docker(
        "network", "inspect", NETWORK, "--format", "{{range .IPAM.Config}}{{.Subnet}} {{.Gateway}}{{end}}"
    )
    assert run("bash", "-euc", block("gateway address")).stdout.strip() == network
    subnet = network.split()[0]
    address = inspect(SERVER, f"{{{{(index .NetworkSettings.Networks \"{NETWORK}\").IPAddress}}}}")
    shell(f"sed -i 's/^LISTEN_ADDR=.*/LISTEN_ADDR={address}:8080/' /etc/home-alice-relay.env")
    shell(f"systemctl restart {UNIT}")
    shell("iptables -A INPUT -p tcp --dport 8080 ! -i lo -j DROP")
    environment = dict(line.split("=", 1) for line in shell("cat /etc/home-alice-relay.env").stdout.split())
    proxy = world.proxy("proxy-server", secret=lambda: environment["WEBHOOK_SECRET"], relay=address)
    knock = ("exec", proxy.name, "timeout", "2", "bash", "-c", f"exec 3<>/dev/tcp/{address}/8080")
    assert run("docker", *knock, check=False).returncode == 124, "the firewall let it in"
    rule = block("firewall").replace("172.18.0.0/16", subnet).replace("172.18.0.1", address)
    shell(rule)
    docker(*knock)
    shell(block("firewall").replace("172.18.0.0/16", subnet).replace("172.18.0.1", address))
    proxy.healthy(connected=False)
    agent = world.agent(proxy, environment["API_KEY"])
    agent.expect("connected", 20)
    assert proxy.turn("громче")[2] == "answered"
    assert works(world, "built there", relay_says=0) == "Сделано: системная информация\n"

    # It ends; systemd brings it back, however often.
    for times in range(1, 8):
        seen = len(agent.seen)
        begun = time.time()
        shell(f"systemctl kill -s KILL {UNIT}")
        # Six of them without waiting for the agent: the usual limit is five in 10 s.
        if times in (1, 7):
            back = agent.expect("connected", 20, seen)["at"]
            world.report.figure(f"killed under systemd, time {times}", f"the agent is back after {back - begun:.1f} s")
        else:
            shell(f"until systemctl is-active -q {UNIT}; do :; done", timeout=10)
    proxy.turn("громче")

    # Updating and rolling back.
    before = shell("sha256sum /usr/local/bin/home-alice-relay").stdout
    world.newer_version("The newest relay")
    # The second time there is nothing newer, and the version before is still kept.
    for _ in range(2):
        shell(block("systemd update"), folder, timeout=300)
        assert shell(f"systemctl is-active {UNIT}").stdout.strip() == "active"
        shell("grep -q 'The newest relay started on' /usr/local/bin/home-alice-relay")
    shell(block("systemd roll back"), folder)
    # Once more there is nothing to go back to, and it says so.
    assert "No such file" in shell(block("systemd roll back"), folder, check=False).stdout
    assert shell("sha256sum /usr/local/bin/home-alice-relay").stdout == before
    works(world, "rolled back", relay_says=1)
    agent.end()


def built_elsewhere(world: World):
    block = world.document.block
    # A server without it again.
    for _ in range(2):
        shell(block("systemd remove"), check=False)
        nothing_is_left()
    shell("rm -rf home-alice-relay && mkdir elsewhere")
    for _ in range(2):
        shell(block("build elsewhere"), "/root/elsewhere", timeout=600)
    linked = shell("ldd elsewhere/home-alice-relay/target/*/release/home-alice-relay", check=False).stdout
    assert "statically linked" in linked or "not a dynamic executable" in linked, linked
    shell(block("install elsewhere"))
    shell(block("install elsewhere"), check=False)
    for name in ("systemd environment", "systemd unit"):
        shell(block(name))
    said = works(world, "built elsewhere", relay_says=1)
    assert "Компьютер не на связи" in said, said
    size = int(shell("stat -c %s /usr/local/bin/home-alice-relay").stdout)
    world.report.figure("built elsewhere, the static binary", f"{size / 1e6:.2f} MB; runs under the unit")
    shell(block("systemd remove"))
    nothing_is_left()


def nothing_is_left():
    """No file of it is on that machine, and no service runs."""
    left = shell(f"ls /usr/local/bin /etc/systemd/system /etc; systemctl is-active {UNIT}", check=False).stdout
    assert UNIT not in left and left.endswith("inactive\n"), left

"""Without Docker: what DEPLOYMENT.md calls options 1 and 2, on a machine of its own that runs systemd.

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


def option1(world: World):
    begun = time.monotonic()
    block = world.document.block
    shell(block("option 1 build"), timeout=600)
    folder = "/root/home-alice-relay"
    shell(block("systemd environment"))
    made = shell("cat /etc/home-alice-relay.env").stdout
    shell(block("systemd environment"))
    assert shell("cat /etc/home-alice-relay.env").stdout == made, "pasted again, it changed the secrets"
    assert shell("stat -c %a /etc/home-alice-relay.env").stdout.strip() == "600"
    shell(block("systemd unit"), folder)
    said = works(world, "option 1", relay_says=1)
    assert "Компьютер не на связи" in said, said
    world.report.figure("option 1, from a clone to its first answer", f"{time.monotonic() - begun:.0f} s")
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
    proxy.healthy(connected=False)
    agent = world.agent(proxy, environment["API_KEY"])
    agent.expect("connected", 20)
    assert proxy.turn("громче")[2] == "answered"
    assert works(world, "option 1", relay_says=0) == "Сделано: системная информация\n"

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
    assert shell("sha256sum /usr/local/bin/home-alice-relay").stdout == before
    works(world, "rolled back", relay_says=1)
    agent.end()


def option2(world: World):
    block = world.document.block
    # A server without it again.
    shell(f"systemctl disable -q --now {UNIT} || true; rm -rf home-alice-relay elsewhere "
          f"/usr/local/bin/home-alice-relay* /etc/systemd/system/{UNIT}.service /etc/home-alice-relay.env; "
          "mkdir elsewhere")  # fmt: skip
    shell(block("option 2 build"), "/root/elsewhere", timeout=600)
    linked = shell("ldd elsewhere/home-alice-relay/target/*/release/home-alice-relay", check=False).stdout
    assert "statically linked" in linked or "not a dynamic executable" in linked, linked
    shell(block("option 2 install"))
    for name in ("systemd environment", "systemd unit"):
        shell(block(name))
    said = works(world, "option 2", relay_says=1)
    assert "Компьютер не на связи" in said, said
    size = int(shell("stat -c %s /usr/local/bin/home-alice-relay").stdout)
    world.report.figure("option 2, the static binary", f"{size / 1e6:.2f} MB; runs under the unit")

"""Where the checks happen: the folders, the machine image, the clone, and what is left to clean up."""

import os
import re
import subprocess
from pathlib import Path

from document import deployment
from harness import DOMAIN, HERE, MACHINE, MARK, NETWORK, RELAY, Events, Proxy, Report, docker, run

REPOSITORY = HERE.parent.parent


# The Composes; the first is the one that all is tested with.
NEWEST, OLD = "newest", "1.29"


class World:
    def __init__(self, work: Path, python: str, newest: str):
        self.work = work
        self.python = python
        # Each Compose under the name that is pasted, in a folder of its own.
        for version, program in ((NEWEST, newest), (OLD, "/usr/bin/docker-compose")):
            (work / f"compose-{version}").mkdir()
            (work / f"compose-{version}" / "docker-compose").symlink_to(program)
        self.document = deployment(REPOSITORY)
        self.report = Report(self.recover)
        self.clone = work / RELAY
        self.agents = []
        # The one that lives through several checks.
        self.idle_agent = None
        self.machine = None
        self.images_before = set(docker("images", "-aq", "--no-trunc").split())
        self.environment = {
            **os.environ,
            "RUST_IMAGE": MACHINE,
            "GIT_CONFIG_GLOBAL": str(work / "gitconfig"),
        }
        # Settings of whoever runs the test must not stand in for those of .env.
        for name in ("WEBHOOK_SECRET", "WEBHOOK_SECRET_FILE", "API_KEY", "API_KEY_FILE", "ALICE_USER_IDS",
                     "ALICE_SKILL_ID", "REPLY_TIMEOUT_MS", "AFTER_ONE_PHRASE", "LATE_ANSWERS", "HEARTBEAT_SECS",
                     "LOG_LEVEL", "AGENTS", "AGENT_NAME", "SMART_HOME_SECRET", "SMART_HOME_SECRET_FILE",
                     "SMART_HOME_DEVICES", "LISTEN_ADDR", "NPM_NETWORK", "RELAY_IMAGE", "COMPOSE_FILE",
                     "COMPOSE_PROJECT_NAME"):  # fmt: skip
            self.environment.pop(name, None)
        self.environment = self.environment_with(NEWEST)
        self.events = Events()

    def environment_with(self, compose: str) -> dict:
        """The environment in which `docker-compose` is this one."""
        return {**self.environment, "PATH": f"{self.work}/compose-{compose}:{os.environ['PATH']}"}

    def prepare(self):
        """The machine image, a throw-away authority, and the repository to clone."""
        run(HERE / "machine-image", MACHINE, self.work / "python", timeout=300)
        self.machine = docker("image", "inspect", "--format", "{{.Id}}", MACHINE)
        run("git", "clone", "-q", "--bare", REPOSITORY, self.work / "origin.git")
        (self.work / "gitconfig").write_text(
            f'[url "{self.work}/origin.git"]\n\tinsteadOf = https://your-git-host/home-alice-relay.git\n'
            "[user]\n\tname = test\n\temail = test@localhost\n"
        )
        openssl = (
            "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=throw-away "
            "-addext basicConstraints=critical,CA:TRUE -keyout ca-key.pem -out ca.pem\n"
            "openssl req -newkey rsa:2048 -nodes -subj /CN=relay -keyout key.pem -out relay.csr\n"
            f"printf 'subjectAltName=DNS:{DOMAIN},DNS:*.{DOMAIN}\\n' > names\n"
            "openssl x509 -req -in relay.csr -CA ca.pem -CAkey ca-key.pem -CAcreateserial -days 2 "
            "-extfile names -out cert.pem\n"
        )
        run("bash", "-ec", openssl, cwd=self.work)

    def newer_version(self, name: str):
        """A version that differs by what it says at its start, where the clones pull it from."""
        newer = self.work / "newer"
        if not newer.exists():
            run("git", "clone", "-q", self.work / "origin.git", newer)
        source = newer / "src" / "relay.rs"
        changed, times = re.subn(r'"[^"]* started on \{address\}"', f'"{name} started on {{address}}"',
                                 source.read_text())  # fmt: skip
        assert times == 1, "the change of the newer version found nothing to change"
        source.write_text(changed)
        run("git", "commit", "-qam", name, cwd=newer, env=self.environment)
        run("git", "push", "-q", cwd=newer, env=self.environment)

    def proxy(self, name: str, secret=None, **more) -> Proxy:
        secret = secret or (lambda: self.setting("WEBHOOK_SECRET"))
        return Proxy(self.work, name, self.document.block("advanced"), secret, **more)

    def agent(self, proxy: Proxy, key: str | None = None, **more):
        agent = proxy.agent(self.python, self.key if key is None else key, **more)
        self.agents.append(agent)
        return agent

    def setting(self, name: str) -> str:
        """What .env holds for this variable."""
        lines = (self.clone / ".env").read_text().splitlines()
        return next(line.removeprefix(f"{name}=") for line in lines if line.startswith(f"{name}="))

    @property
    def key(self) -> str:
        return self.setting("API_KEY")

    def do(self, block: str, proxy: Proxy | None = None, cwd=None, timeout=60, check=True, times=1, told=False, change=(),
           path=""):  # fmt: skip
        """Runs a block of the document in the clone, as it is written but for a `change` of some texts for others, so many
        `times` in a row; returns the last run. `told`: it must print what the document shows. `path`: a folder of programs
        that stand in for others."""
        environment = dict(self.environment)
        if path:
            environment["PATH"] = f"{path}:{environment['PATH']}"
        if proxy:
            environment["CURL_HOME"] = str(proxy.curl_home(self.work))
        for _ in range(times):
            text = self.document.block(block)
            for old, new in zip(change[::2], change[1::2], strict=True):
                assert old in text, (block, old)
                text = text.replace(old, new)
            done = run("bash", "-euc", text, cwd=cwd or self.clone, env=environment, timeout=timeout, check=check)
        if told:
            self.document.is_told(block, done.stdout)
        return done

    def compose(self, *arguments, timeout=120, check=True, old=False, **more) -> subprocess.CompletedProcess:
        """The newest Compose, or the `old` one, with `more` in its environment."""
        environment = {**self.environment_with(OLD if old else NEWEST), **more}
        return run(
            "docker-compose", *arguments, cwd=self.clone, env=environment, timeout=timeout, check=check
        )

    def up(self, build=False):
        """The relay, running; whatever was changed before."""
        self.compose("up", "-d", "--build" if build else "--no-build")

    def recover(self):
        """What a failed check left behind must not fail the next one: its agents end, the relay runs."""
        for agent in self.agents:
            if agent is not self.idle_agent:
                agent.end()
        if (self.clone / ".env").exists():
            # It may be that of another folder.
            docker("rm", "-f", RELAY, check=False)
            self.compose("up", "-d", "--no-build", check=False)

    def images(self) -> set[str]:
        """The images of this test: those with the relay's label, and what was built on the machine
        image. Others may appear meanwhile that are none of its business."""
        new = set(docker("images", "-aq", "--no-trunc").split()) - self.images_before
        if not new:
            return set()
        label = f'"org.opencontainers.image.title":"{RELAY}"'
        template = "{{.Id}} {{.Parent}} {{json .Config.Labels}}"
        # One that goes meanwhile is left out.
        told = docker("image", "inspect", "--format", template, *new, check=False)
        rows = [line.split(" ", 2) for line in told.splitlines() if line.startswith("sha256:")]
        ours = {image for image, _, labels in rows if label in labels} | {self.machine} & new
        while more := {image for image, parent, _ in rows if parent in ours} - ours:
            ours |= more
        return ours

    def clean(self):
        """Takes everything away that the test made on this engine; what is left all the same."""
        for agent in self.agents:
            agent.end()
        ours = docker("ps", "-aq", "--filter", f"name=^({RELAY}$|{MARK}|[0-9a-f]+_{RELAY}$)").split()
        if ours:
            docker("rm", "-f", "-v", *ours)
        if (self.work / "nginx").exists():
            run("docker-compose", "down", cwd=self.work / "nginx", env=self.environment, check=False)
        for network in (NETWORK, f"{MARK}-elsewhere"):
            docker("network", "rm", network, check=False)
        # An image goes only after those that are built on it.
        for _ in range(20):
            made = self.images()
            if not made:
                break
            docker("rmi", "-f", *made, check=False)
        self.events.end()
        left = docker("ps", "-aq", "--filter", f"name=^({RELAY}$|{MARK}|[0-9a-f]+_{RELAY}$)").split()
        left += docker("network", "ls", "-q", "--filter", f"name=^({NETWORK}|{MARK}.*)$").split()
        return left + sorted(self.images())

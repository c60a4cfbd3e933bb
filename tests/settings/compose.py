"""What each Compose hands to the container of a `.env`, and what the relay then does: the `config` of the newest
docker-compose and of 1.29, and podman-compose 1.0.3 (Debian 12's) and a later one with a `podman` that only writes down its
arguments. Whatever goes wrong on the way must leave the webhook closed."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import yaml

REPOSITORY = Path(__file__).resolve().parents[2]
SECRET = "0123456789abcdef" * 4
KEY = "fedcba9876543210" * 4
DEFAULTS = {
    "LISTEN_ADDR": ":8080",
    "WEBHOOK_SECRET": "open",
    "ALICE_USER_IDS": "any",
    "ALICE_SKILL_ID": "any",
    "REPLY_TIMEOUT_MS": "4000",
    "AFTER_ONE_PHRASE": "leave",
    "LATE_ANSWERS": "none",
    "HEARTBEAT_SECS": "20",
    "LOG_LEVEL": "info",
    "AGENT_NAME": "компьютер",
    "AGENTS": "none",
    "SMART_HOME_SECRET": "off",
    "SMART_HOME_DEVICES": "built-in",
}
VALUES = {
    "LISTEN_ADDR": "0.0.0.0:9090",
    "WEBHOOK_SECRET": SECRET,
    "ALICE_USER_IDS": "6C91DA,7D02EB",
    "ALICE_SKILL_ID": "3ad36498-f5rd",
    "REPLY_TIMEOUT_MS": "2500",
    "AFTER_ONE_PHRASE": "stay",
    "LATE_ANSWERS": "drop",
    "HEARTBEAT_SECS": "7",
    "LOG_LEVEL": "debug",
    "AGENT_NAME": "десктоп",
    "SMART_HOME_SECRET": "00112233445566778899aabbccddeeff",
    "SMART_HOME_DEVICES": str(REPOSITORY / "examples" / "smart-home.json"),
    "AGENTS": "ноутбук=key-of-the-notebook;сервер=new-key-of-the-server,old-key-of-the-server",
    "API_KEY": KEY,
}
# Those that decide who is let in: empty is an error, of the relay's or of Compose's.
DOORS = ("WEBHOOK_SECRET", "ALICE_USER_IDS", "ALICE_SKILL_ID", "API_KEY")
# What python-dotenv takes for no setting; the newest Compose refuses the second, and reads the first.
UNREADABLE = ("a colon", "half a quote")
NEWEST = "5.6.1"
# What it says of a `$` in a value, which is a variable to it.
BLANK = "variable is not set. Defaulting to a blank string."
# Where a secret gets lost without a word of Compose's: its name has the BOM in front.
SILENT = [("podman-compose-1.0.3", "BOM before the secret"), ("podman-compose-1.6.0", "BOM before the secret")]
PODMAN = """#!/bin/sh
case "$1" in
--version) echo "podman version 4.3.1" ;;
ps) echo "[]" ;;
run | create) printf '%s\\0' "$@" >>record ;;
esac
"""


class Tool:
    """One Compose, and how to learn what it hands over."""

    def __init__(self, work: Path, name: str):
        self.name = name
        self.folder = work / f"project-{name}"
        self.folder.mkdir()
        (self.folder / "docker-compose.yml").write_bytes((REPOSITORY / "docker-compose.yml").read_bytes())
        self.environment = {"PATH": f"{work}/podman:{os.environ['PATH']}", "HOME": str(work), "LC_ALL": "C.UTF-8"}

    def run(self, *command, **exported) -> subprocess.CompletedProcess:
        environment = {**self.environment, **exported}
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, timeout=60, env=environment)
        self.said = done.stdout + done.stderr
        return done

    def hands_over(self, env: str | bytes | None, **exported) -> dict | None:
        """The container's environment; none when it refuses."""
        file = self.folder / ".env"
        file.unlink(missing_ok=True)
        if env is not None:
            file.write_bytes(env.encode() if isinstance(env, str) else env)
        return self.environment_of(exported)


class DockerCompose(Tool):
    def __init__(self, work: Path, version: str, program: str):
        super().__init__(work, f"docker-compose-{version}")
        self.program = program
        self.is_newest = version == NEWEST

    def environment_of(self, exported):
        done = self.run(self.program, "config", **exported)
        if done.returncode != 0:
            cannot_read = self.is_newest and re.search(r"failed to read .*/\.env: line \d+: ", done.stderr)
            assert cannot_read or "API_KEY has no value" in done.stderr, done.stderr
            return None
        warned = re.findall("WARN.*|.*level=warning.*", done.stderr)
        assert all(self.is_newest and BLANK in line for line in warned), warned
        service = yaml.safe_load(done.stdout)["services"]["home-alice-relay"]
        self.image = service["image"]
        return service["environment"]


class PodmanCompose(Tool):
    def __init__(self, work: Path, version: str):
        super().__init__(work, f"podman-compose-{version}")
        self.program = work / f"podman-compose-{version}" / "bin" / "podman-compose"

    def environment_of(self, exported):
        record = self.folder / "record"
        record.unlink(missing_ok=True)
        done = self.run(self.program, "up", "-d", "--no-build", **exported)
        if not record.exists():
            assert done.returncode != 0 and "API_KEY has no value" in done.stdout + done.stderr, done
            return None
        *arguments, self.image, _ = record.read_text().split("\0")
        told = [value for option, value in zip(arguments, arguments[1:]) if option in ("-e", "--env")]
        return dict(pair.partition("=")[::2] for pair in told)


def starts(relay: str, environment: dict) -> str:
    """What the relay does with it: `refuses`, `open` (and warns) or `closed`."""
    process = subprocess.Popen(
        [relay], env={**environment, "LISTEN_ADDR": "127.0.0.1:0"}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    said, is_open = "", False
    try:
        for line in process.stdout:
            said += line
            is_open |= "Open: whoever learns the webhook's address" in line
            if "Relay started on" in line:
                # What is to be told of who is let in comes behind it, and then the end that is asked for.
                process.terminate()
        code = process.wait(timeout=20)
    finally:
        process.kill()
    if code == 2:
        assert "Relay started" not in said, said
        return "refuses"
    assert code == 0, (code, said)
    return "open" if is_open else "closed"


def table(tools, relay: str) -> int:
    """Each variable set, unset and empty: what is handed over, and what the relay does with it."""
    assert starts(relay, VALUES) == "closed"
    for name, default in DEFAULTS.items():
        expected = "open" if name == "WEBHOOK_SECRET" else "closed"
        assert starts(relay, {**VALUES, name: default}) == expected, name
        expected = "refuses" if name in DOORS else "closed"
        assert starts(relay, {**VALUES, name: ""}) == expected, name
    tried = 0
    for tool in tools:
        everything = "".join(f"{name}={value}\n" for name, value in VALUES.items())
        key_alone = tool.hands_over(f"API_KEY={KEY}\n")
        assert key_alone == {**DEFAULTS, "API_KEY": KEY}, (tool.name, key_alone)
        assert starts(relay, key_alone) == "open"
        # Over three files each is set once, unset once and empty once.
        for turn in range(3):
            env, expected = f"API_KEY={KEY}\n", {"API_KEY": KEY}
            for place, (name, default) in enumerate(DEFAULTS.items(), turn):
                line, expected[name] = (
                    (f"{name}={VALUES[name]}\n", VALUES[name]), ("", default), (f"{name}=\n", "")
                )[place % 3]  # fmt: skip
                env += line
            told = tool.hands_over(env)
            assert told == expected, (tool.name, env, told)
        # Unset or empty it is an error, of Compose or of the relay.
        for env in (None, "", f"WEBHOOK_SECRET={SECRET}\n", f"WEBHOOK_SECRET={SECRET}\nAPI_KEY=\n"):
            told = tool.hands_over(env)
            assert told is None or starts(relay, told) == "refuses", (tool.name, env, told)
        tried += 9
        # What the shell has exported wins; but with podman-compose 1.0.3 the file does.
        winner = KEY if tool.name == "podman-compose-1.0.3" else "exported"
        exported = tool.hands_over(everything, API_KEY="exported")
        assert exported == {**VALUES, "API_KEY": winner}, (tool.name, exported)
        print(f"{tool.name}: set, unset and empty are handed over as they are")
    return tried


def odd_files(tools, relay: str) -> int:
    """A secret is there, and the file looks odd: the relay has it, or refuses. A line that Compose can't read it
    leaves out, which the relay can't tell from absence: it warns, and Compose has said so but for SILENT."""
    pair = f"WEBHOOK_SECRET={SECRET}\nAPI_KEY={KEY}\n"
    files = {
        "CRLF": pair.replace("\n", "\r\n"),
        "BOM": "\ufeff# Mine.\n" + pair,
        "BOM before the secret": "\ufeff" + pair,
        "no last line break": pair.strip(),
        "double quotes": f'WEBHOOK_SECRET="{SECRET}"\nAPI_KEY="{KEY}"\n',
        "single quotes": f"WEBHOOK_SECRET='{SECRET}'\nAPI_KEY='{KEY}'\n",
        "spaces": f"WEBHOOK_SECRET = {SECRET}  \nAPI_KEY = {KEY}  \n",
        "a comment": f"WEBHOOK_SECRET={SECRET} # mine\nAPI_KEY={KEY} # mine\n",
        "export": f"export WEBHOOK_SECRET={SECRET}\nexport API_KEY={KEY}\n",
        "typographic quotes": f"WEBHOOK_SECRET=«{SECRET}»\nAPI_KEY={KEY}\n",
        "a colon": f"WEBHOOK_SECRET: {SECRET}\nAPI_KEY={KEY}\n",
        "half a quote": f'API_KEY={KEY}\nWEBHOOK_SECRET="{SECRET}\n',
        "a dollar": f"WEBHOOK_SECRET=$abc{SECRET}\nAPI_KEY={KEY}\n",
        "a dollar in single quotes": f"WEBHOOK_SECRET={SECRET}\nAPI_KEY='{KEY}$abc'\n",
        "the word in capitals": f"WEBHOOK_SECRET=OPEN\nAPI_KEY={KEY}\n",
        "an address": f"WEBHOOK_SECRET=https://your-domain.com/alice/webhook/{SECRET}\nAPI_KEY={KEY}\n",
        "a tab behind it": f"WEBHOOK_SECRET={SECRET}\t\nAPI_KEY={KEY}\n",
    }
    for tool in tools:
        came = {}
        for look, text in files.items():
            told = tool.hands_over(text)
            came[look] = "Compose refuses" if told is None else starts(relay, told)
            if came[look] == "open":
                told = look in UNREADABLE and "could not parse statement" in tool.said
                assert told or (tool.name, look) in SILENT, (tool.name, look, tool.said)
            elif came[look] == "closed":
                assert SECRET in told["WEBHOOK_SECRET"], (tool.name, look, told)
            if isinstance(tool, DockerCompose):
                assert (BLANK in tool.said) == (tool.is_newest and look == "a dollar"), (look, tool.said)
                if look == "a dollar in single quotes":
                    # Its output doubles the sign, as its input would have to.
                    assert told["API_KEY"].replace("$$", "$") == f"{KEY}$abc", (tool.name, told)
        print(f"{tool.name}: {json.dumps(came)}")
    return len(files) * len(tools)


def in_files(tools, relay: str) -> int:
    """The secrets are in files, as deploy/secret-files.yml says it. Where that is not read nothing stands open: the relay
    refuses."""
    env = "WEBHOOK_SECRET=file\nAPI_KEY=file\n"
    for tool in tools:
        alone = tool.hands_over(env)
        assert starts(relay, alone) == "refuses", (tool.name, alone)
        override = tool.folder / "docker-compose.override.yml"
        override.write_bytes((REPOSITORY / "deploy" / "secret-files.yml").read_bytes())
        told = tool.hands_over(env)
        override.unlink()
        for name, value in (("WEBHOOK_SECRET", SECRET), ("API_KEY", KEY)):
            assert (told[name], told[f"{name}_FILE"]) == ("file", f"/files/{name}"), (tool.name, told)
            file = tool.folder / name
            file.write_text(f"{value}\n")
            told[f"{name}_FILE"] = str(file)
        assert starts(relay, told) == "closed", (tool.name, told)
    return 2 * len(tools)


def ready_image(tools) -> int:
    """The image is the one that is built here, or a ready one by its name."""
    ready = "registry.example/somebody/home-alice-relay:1.2.3"
    for tool in tools:
        for line, image in (("", "home-alice-relay"), (f"RELAY_IMAGE={ready}\n", ready)):
            tool.hands_over(f"API_KEY={KEY}\n{line}")
            assert tool.image == image, (tool.name, line, tool.image)
    return 2 * len(tools)


def main():
    work, relay, newest = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    (work / "podman").mkdir()
    (work / "podman" / "podman").write_text(PODMAN)
    (work / "podman" / "podman").chmod(0o755)
    tools = [
        DockerCompose(work, NEWEST, newest),
        DockerCompose(work, "1.29", "/usr/bin/docker-compose"),
        PodmanCompose(work, "1.0.3"),
        PodmanCompose(work, "1.6.0"),
    ]
    tried = table(tools, relay) + odd_files(tools, relay) + in_files(tools, relay) + ready_image(tools)
    print(f"{tried} files of settings: what is written is handed over, or refused, or told")


main()

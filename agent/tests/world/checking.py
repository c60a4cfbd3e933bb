"""The relay's examples/check_agent.rs, which puts every agent through all that it must withstand."""

import signal
import subprocess

from own import Home
from world import RELAY, Process, check, main, until


# Built with the relay by `cargo build --examples`, or by its tests.
CHECK_AGENT = RELAY.parent / "examples" / "check_agent"


def test_check_agent_passes():
    with Home() as home:
        relay, port = home.home / "check.log", home.relay.port
        home.relay.close()
        with open(relay, "w") as out:
            checking = subprocess.Popen([CHECK_AGENT, "--yes", "--wait", "30"], stdout=out, stderr=out,
                                        env={"LISTEN_ADDR": f"127.0.0.1:{port}"})
        found = until(lambda: dict(line.split(": ", 1) for line in relay.read_text().splitlines() if ": " in line)
                      if "api_key" in relay.read_text() else None, 20, relay.read_text)
        home.write("", head=f'server = "{found["server_url"]}"\nkey = "{found["api_key"]}"\n')
        home.agent = Process(home.home / "agent.log", home.command(), env=home.environment, cwd="/")
        code = checking.wait(300)
        text = relay.read_text()
        check(code == 0 and "✘" not in text and text.count("✔") >= 14, text, home.agent.text())
        home.agent.stop(signal.SIGTERM)


if __name__ == "__main__":
    main(globals())

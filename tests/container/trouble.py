"""The table of errors in DEPLOYMENT.md: each row is made to happen."""

import re
import time

from harness import MARK, NETWORK, RELAY, Log, docker, log_of
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
    ):
        env.write_text(content)
        begun = time.time()
        world.up()
        world.events.of(RELAY, "die", 20, after=begun)
        row(said, log_of(RELAY))

    # No secret for the webhook: it runs, and warns.
    env.write_text(without)
    world.up()
    status, _, outcome = proxy.turn("громче", path="/alice/webhook")
    assert (status, outcome) == (200, "no-agent"), (status, outcome)
    row("Open: whoever learns the webhook's address can command the computer …", log_of(RELAY))
    env.write_text(env_before)
    world.up()

    # The skill's address without the secret, and with another one.
    for path in ("/alice/webhook", f"{proxy.webhook()}x"):
        status, body, _ = proxy.turn("громче", path=path)
        assert status == 404, status
        row('{"error":"there is nothing here"}', body)
    row("A request from … was for a wrong webhook address: the skill's must end in /alice/webhook/ and the "
        "WEBHOOK_SECRET", log_of(RELAY))  # fmt: skip

    # A wrong key, and none.
    agent = world.agent(proxy, "0123456789abcdef")
    refused = agent.expect("refused", 20)["reason"]
    agent.end()
    row("Agent rejected from …: wrong or missing key; it must be the relay's API_KEY", log_of(RELAY))
    row("server rejected WebSocket connection: HTTP 401", refused)
    status, _, body = proxy.request("GET", "/ws")
    assert status == 401, status
    row('{"error":"wrong or missing key; it must be the relay\'s API_KEY"}', body)

    # Websockets Support off.
    agent = world.agent(proxy, host="no-websockets.your-domain.com")
    row("server rejected WebSocket connection: HTTP 426", agent.expect("refused", 20)["reason"])
    agent.end()
    row('not a WebSocket request; behind Nginx Proxy Manager, switch on "Websockets Support" for this '
        "proxy host", log_of(RELAY))  # fmt: skip

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
    world.compose("stop")
    agent = world.agent(proxy)
    # For its first 10 s nginx knows the old address, and waits for it longer than the agent does.
    agent.wait(lambda one: "HTTP 502" in one.get("reason", ""), 60)
    row("server rejected WebSocket connection: HTTP 502", str(agent.seen))
    status, _, body = proxy.request("GET", "/health")
    assert status == 502, status
    row("502 Bad Gateway", body)
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
    missing = world.compose("up", "-d", "--no-build", check=False, NPM_NETWORK="no-such-network")
    assert missing.returncode != 0
    row("… declared as external, but could not be found", missing.stdout)

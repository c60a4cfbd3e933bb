"""Each wrong state is told once, with its cure."""

import contextlib
import socket
import threading
import time

from own import Home
from world import DOMAIN, KEY, SERVER, Process, World, authority, certificate, check, main, run


def told(pc, config, *words, environment=None, seconds=40):
    """Starts the agent of `pc` with this config; it must say all of the words, once. Returns the agent."""
    pc.write(config)
    (pc.home / "agent.log").unlink(missing_ok=True)
    before = dict(pc.environment)
    pc.environment |= environment or {}
    agent = pc.start()
    pc.environment = before
    for part in words:
        agent.says(part, seconds=seconds)
    check(KEY not in agent.text(), "no error holds the key")
    return agent


def test_what_the_relay_and_the_proxy_answer():
    with World("a") as world:
        pc = world.pc("pc")
        agent = told(pc, pc.head(key="wrong-key"), "ключ не подходит", "invite")
        agent.stop()
        told(pc, pc.head(server=f"wss://{DOMAIN}/wrong"), "по этому пути ничего нет", "/ws").stop()
        world.nginx_start(port=444, has_websockets=False)
        told(pc, pc.head(server=f"wss://{DOMAIN}:444/ws"), "прокси не пропускает WebSocket", "Websockets Support").stop()
        world.relay.stop()
        told(pc, pc.head(), "прокси отвечает 502", "не работает").stop()


def test_certificates():
    with World("c") as world:
        pc = world.pc("pc")
        folder = world.dir
        cases = []
        # As `openssl req -x509` makes it.
        run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={DOMAIN}",
            "-addext", f"subjectAltName=DNS:{DOMAIN}", "-keyout", folder / "self.key", "-out", folder / "self.pem")
        cases.append(("self", "самоподписанный"))
        certificate(folder, "other", "other.example")
        cases.append(("other", "выдан на другое имя"))
        certificate(folder, "old", DOMAIN, days=("-not_before", "20200101000000Z", "-not_after", "20200201000000Z")
                    if "not_before" in run("openssl", "x509", "-help", expect=None).stderr else ("-days", "-1"))
        cases.append(("old", "срок сертификата"))
        (folder / "foreign").mkdir()
        authority(folder / "foreign", "Another CA")
        certificate(folder / "foreign", "foreign", DOMAIN)
        for end in ["pem", "key"]:
            (folder / "foreign" / f"foreign.{end}").rename(folder / f"foreign.{end}")
        cases.append(("foreign", "подписан неизвестно кем"))
        certificate(folder, "first", DOMAIN, options=())
        cases.append(("first", "больше не доверяют"))
        for place, (name, words) in enumerate(cases):
            port = 4430 + place
            world.nginx_start(certificate=name, port=port)
            told(pc, pc.head(server=f"wss://{DOMAIN}:{port}/ws"), words).stop()
        # Old ciphers alone.
        run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={DOMAIN}",
            "-keyout", folder / "cbc.key", "-out", folder / "cbc.pem")
        world.nginx_start("ssl_protocols TLSv1.2; ssl_ciphers AES128-SHA;", certificate="cbc", port=4440)
        told(pc, pc.head(server=f"wss://{DOMAIN}:4440/ws"), "больше не доверяют").stop()


def test_roots_that_are_none():
    with World("d") as world:
        pc = world.pc("pc")
        der = world.dir / "ca.der"
        run("openssl", "x509", "-in", world.dir / "ca.pem", "-outform", "der", "-out", der)
        told(pc, pc.head(), str(der), "SSL_CERT_FILE", environment={"SSL_CERT_FILE": str(der)}).stop()


def test_no_network_no_name_nobody_and_a_proxy_in_the_environment():
    with World("e") as world:
        pc = world.pc("pc")
        told(pc, pc.head(server="wss://no-such-name.example/ws"), "имя сервера не находится").stop()
        told(pc, pc.head(server=f"wss://{DOMAIN}:4444/ws"), "никто не слушает",
             "В окружении задан прокси (HTTPS_PROXY)", environment={"HTTPS_PROXY": "http://proxy.example:3128"}).stop()
        agent = told(pc, pc.head(server=f"wss://{SERVER[:-1]}99/ws"), "нет сети", seconds=60)
        # In the middle of connecting, too, it ends when it is asked to.
        begun = time.monotonic()
        check(agent.stop() == 0 and time.monotonic() - begun < 5, "it ends at once")
        run("ip", "-n", pc.space, "link", "set", "eth0", "down")
        agent = told(pc, pc.head(), "нет сети")
        run("ip", "-n", pc.space, "link", "set", "eth0", "up")
        agent.says("Связь есть")
        status = pc.run("status").stdout
        check("Связь есть" in status, status)


def test_tls_where_there_is_none_and_none_where_there_is():
    with World("f") as world:
        pc = world.pc("pc")
        world.nginx_start(port=82, is_plain=True)
        told(pc, pc.head(server=f"wss://{DOMAIN}:82/ws"), "нет TLS").stop()
        told(pc, pc.head(server=f"ws://{DOMAIN}:443/ws"), "wss://").stop()


def answers(home, *replies):
    """Answers connections with these replies, one after another."""
    def serve():
        for reply in replies:
            with contextlib.suppress(OSError):
                stream, _ = home.relay.listener.accept()
                stream.recv(4096)
                stream.sendall(reply)
                stream.shutdown(socket.SHUT_WR)
                stream.close()
    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    return thread


def response(status, fields=""):
    return f"HTTP/1.1 {status}\r\nContent-Length: 2\r\n{fields}\r\nno".encode()


def test_what_else_may_answer_and_each_is_told_once():
    for replies, words in [
        ([response("301 Moved", "Location: https://home.example/ws\r\n")] * 3, "отправляет на https://home.example/ws"),
        ([response("200 OK")] * 3, "отвечает не home-alice-relay (код 200)"),
        ([response("403 Forbidden")] * 3, "Access List"),
        ([response("401 Unauthorized")] * 3, "ключ не подходит"),
        ([b"SSH-2.0-OpenSSH_9\r\n"] * 3, "не говорят по HTTP"),
        ([b""] * 3, "обрывается"),
    ]:
        with Home() as home:
            home.write("")
            thread = answers(home, *replies)
            home.agent = Process(home.home / "agent.log", home.command(), env=home.environment, cwd="/")
            thread.join(30)
            link = home.relay.linked()
            home.agent.says("Связь есть")
            check(home.agent.text().count(words) == 1, words, home.agent.text())
            check(link.ask("проверка связи")["ok"])


def test_what_a_proxy_answers_to_join_is_not_taken_for_the_relays():
    for reply, words in [
        (response("401 Unauthorized", "WWW-Authenticate: Basic\r\n"), "ключ не подходит"),
        (response("403 Forbidden"), "Access List"),
        (response("502 Bad Gateway"), "не работает"),
        (response("301 Moved", "Location: https://other.example/ws/join\r\n"), "https://other.example/ws/join"),
        (response("400 Bad Request"), "wss://"),
        (b"", "обрывается"),
    ]:
        with Home() as home:
            thread = answers(home, reply, reply)
            done = home.run("join", home.relay.url, "ABCD-EFGH-JKMN", expect=1)
            check(words in done.stderr, words, done.stderr)
            check(not home.config.exists(), "nothing is written")
            home.relay.close()
            thread.join(1)


def test_a_lost_answer_to_join_is_asked_for_again_by_an_equal_request():
    bodies = []
    with Home() as home:
        def serve():
            for reply in [b"", b'HTTP/1.1 200 OK\r\n\r\n{"name":"\xd0\xbf\xd0\xba","key":"0123456789abcdef"}']:
                stream, _ = home.relay.listener.accept()
                bodies.append(stream.recv(4096).split(b"\r\n\r\n")[1])
                stream.sendall(reply)
                stream.close()
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        home.run("join", home.relay.url, "ABCD-EFGH-JKMN", expect=1)
        thread.join(20)
        check(len(bodies) == 2 and bodies[0] == bodies[1], bodies)
        check("0123456789abcdef" in home.config.read_text(), "the key was kept, though the link is not there yet")


def test_a_relay_that_is_too_old_and_one_that_has_another_agent():
    with Home() as home:
        home.write("")
        home.agent = Process(home.home / "agent.log", home.command(), env=home.environment, cwd="/")
        home.relay.accept(protocol=None)
        home.agent.says("слишком старый")
        link = home.relay.linked()
        link.frame(8, (4001).to_bytes(2, "big") + b"replaced")
        home.agent.says("с этим же ключом")
        # Two that throw each other out tell of it once.
        link = home.relay.linked()
        link.frame(8, (4001).to_bytes(2, "big"))
        link = home.relay.linked()
        check(home.agent.text().count("с этим же ключом") == 1, home.agent.text())
        link.frame(8, (1001).to_bytes(2, "big"))
        home.agent.says("сервер остановился")
        home.relay.linked()


if __name__ == "__main__":
    main(globals())

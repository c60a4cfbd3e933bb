"""A headless Chromium, and what stands in for the hosts that a page leads to."""

import http.server
import json
import os
import ssl
import subprocess
import threading

from selenium import webdriver
from selenium.webdriver.chrome.service import Service

CHROMIUM, DRIVER = "/usr/bin/chromium", "/usr/bin/chromedriver"


class StandIn:
    """A TLS server that answers in place of some hosts. `answer` gives, for a host and a path, the status, the
    header fields and the page. What came is in `seen`."""

    def __init__(self, work, hosts, answer):
        self.hosts, self.seen = hosts, []
        certificate, key = os.path.join(work, "stand-in.pem"), os.path.join(work, "stand-in.key")
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=stand-in",
             "-addext", "subjectAltName=" + ",".join(f"DNS:{host}" for host in hosts),
             "-keyout", key, "-out", certificate],
            check=True, capture_output=True)  # fmt: skip
        seen = self.seen

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                seen.append((self.headers["Host"], self.path, self.headers["Referer"]))
                status, fields, page = answer(self.headers["Host"], self.path)
                page = page.encode()
                self.send_response(status)
                for name, value in {"Content-Type": "text/html; charset=utf-8", **fields}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(page)))
                self.end_headers()
                self.wfile.write(page)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self.server.socket = context.wrap_socket(
            self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Browser:
    """One Chromium, `width` pixels wide as a phone's or a computer's; with `scripts` off a page's own don't run."""

    def __init__(self, stand_in, width=1280, height=900, scheme="light", scripts=True):
        options = webdriver.ChromeOptions()
        options.binary_location = CHROMIUM
        rules = [f"MAP {host} 127.0.0.1:{stand_in.port}" for host in stand_in.hosts]
        # Whatever else a page asks for is not found.
        rules += ["MAP * ~NOTFOUND", "EXCLUDE 127.0.0.1"]
        for argument in ["--headless=new", "--ignore-certificate-errors", "--disable-background-networking",
                         f"--host-resolver-rules={','.join(rules)}"]:  # fmt: skip
            options.add_argument(argument)
        if os.geteuid() == 0:
            # Chromium's sandbox refuses to run as root.
            options.add_argument("--no-sandbox")
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        self.driver = webdriver.Chrome(options, Service(DRIVER))
        self.driver.set_page_load_timeout(30)
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600})
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {
            "features": [{"name": "prefers-color-scheme", "value": scheme}]})
        self.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": not scripts})

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.driver.quit()

    def slow(self, latency):
        """From now on every answer takes so many seconds."""
        self.driver.execute_cdp_cmd("Network.enable", {})
        self.driver.execute_cdp_cmd("Network.emulateNetworkConditions", {
            "offline": False, "latency": latency * 1000, "downloadThroughput": -1, "uploadThroughput": -1})

    def complaints(self):
        """What the console holds since the last look."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def requested(self):
        """Every address that was asked for since the last look."""
        messages = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        return [message["params"]["request"]["url"] for message in messages
                if message["method"] == "Network.requestWillBeSent"]

    def sticking_out(self):
        """The elements that reach over the page's right or left edge; and the page, if it can be scrolled sideways."""
        return self.driver.execute_script("""
            const wide = document.documentElement.clientWidth;
            const out = [...document.querySelectorAll('body *')].filter(one => {
                const box = one.getBoundingClientRect();
                return box.width > 0 && (box.right > wide + 0.5 || box.left < -0.5 || one.scrollWidth > one.clientWidth + 1
                    && getComputedStyle(one).display !== 'inline');
            }).map(one => one.outerHTML.slice(0, 80));
            if (document.documentElement.scrollWidth > wide) out.push('the page itself');
            return out;""")

    def faint(self, least=4.5):
        """The texts that stand out from what is behind them less than WCAG 2.1, 1.4.3 asks for, with their contrast."""
        return self.driver.execute_script("""
            const parts = color => color.match(/[\\d.]+/g).map(Number);
            const bright = color => parts(color).slice(0, 3).map(part => part / 255)
                .map(part => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
                .reduce((sum, part, at) => sum + part * [0.2126, 0.7152, 0.0722][at], 0);
            const behind = one => {
                for (; one; one = one.parentElement) {
                    const color = getComputedStyle(one).backgroundColor;
                    if ((parts(color)[3] ?? 1) > 0) return color;
                }
                return 'rgb(255, 255, 255)';
            };
            const found = [];
            for (const one of document.querySelectorAll('body *')) {
                const own = [...one.childNodes].some(node => node.nodeType === 3 && node.data.trim());
                if (!own && one.id !== 'code') continue;
                const [dark, light] = [bright(getComputedStyle(one).color), bright(behind(one))].sort((a, b) => a - b);
                const contrast = (light + 0.05) / (dark + 0.05);
                if (contrast < arguments[0]) found.push([one.outerHTML.slice(0, 60), contrast]);
            }
            return found;""", least)

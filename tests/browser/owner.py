"""The owner's page in a real browser: logged in, looked at, spoken to, and lost and found again.

    owner.py RELAY FOLDER [--pictures]

With --pictures, docs/owner-light.png and docs/owner-dark.png are written.
"""

import base64
import json
import os
import subprocess
import sys
import threading
import unittest
import urllib.error
import urllib.request

import websocket
from browser import Browser, StandIn
from selenium.common.exceptions import TimeoutException
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

RELAY, WORK = sys.argv[1:3]
DOCS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "docs")
KEY, SECRET = "agent-key_0123456789abcdef", "webhook-secret_5d1b9c77"
SETTINGS = {"API_KEY": KEY, "WEBHOOK_SECRET": SECRET, "REPLY_TIMEOUT_MS": "1000"}
MARKUP = "<img src=x onerror=\"document.title='broken'\"><b>жирно</b>"
INVITE = "docker exec home-alice-relay /home-alice-relay invite --domain your-domain.com"
USER, SKILL = "6C91DA5198D1758C6A9F63A7C5CDDF09", "3ad36498-f5rd-4079-a14b-788652932056"


class Agent:
    """The PC. «долго» it answers once `finish` is set, «разметка» with markup, all else with «Сделано»."""

    def __init__(self, port):
        self.heard, self.finish = [], threading.Event()
        self.socket = websocket.create_connection(
            f"ws://127.0.0.1:{port}/ws", timeout=60, header=[f"Authorization: Bearer {KEY}"])
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        try:
            while text := self.socket.recv():
                command = json.loads(text)
                self.heard.append(command["text"])
                threading.Thread(target=self.answer, args=[command], daemon=True).start()
        except (OSError, ValueError, websocket.WebSocketException):
            pass

    def answer(self, command):
        if command["text"] == "долго":
            self.finish.wait(60)
        text = {"разметка": MARKUP, "долго": "Наконец сделано"}.get(command["text"], f"Сделано: {command['text']}")
        self.socket.send(json.dumps({"id": command["id"], "text": text}))

    def close(self):
        self.socket.close()


def evil(_host, path):
    """A page of somebody else's: one with a link to the owner's page, or one that says something by every way that
    needs no leave."""
    if path == "/link":
        return 200, {}, f"<!doctype html><title>link</title><a href='{Owner.address}'>Страница владельца</a>"
    target = f"http://127.0.0.1:{Owner.port}/owner/say"
    body = json.dumps({"token": "", "text": "чужая команда"})
    return 200, {}, f"""<!doctype html><title>evil</title><form id=f method=post enctype=text/plain action="{target}">
        <input name='{body[:-1]},"x":"' value='"}}'></form><script>
        fetch({json.dumps(target)}, {{method: 'POST', mode: 'no-cors', credentials: 'include', body: {json.dumps(body)}}})
            .catch(() => 0).finally(() => {{ document.title = 'tried'; }});</script>"""


class Owner(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.log = open(os.path.join(WORK, "owner.log"), "w+")
        cls.port = 0
        cls.start()
        cls.stand_in = StandIn(WORK, ["evil.example"], evil)

    @classmethod
    def start(cls):
        """At the port of before, if there was one."""
        cls.relay = subprocess.Popen([RELAY], env={**SETTINGS, "LISTEN_ADDR": f"127.0.0.1:{cls.port}"},
                                     stdout=subprocess.PIPE, stderr=cls.log, text=True)
        cls.port = next(line for line in cls.relay.stdout if "Relay started on" in line).rsplit(":", 1)[1].strip()
        # Nobody else reads it, and it must not fill up.
        threading.Thread(target=cls.relay.stdout.read, daemon=True).start()
        cls.address = f"http://127.0.0.1:{cls.port}/owner"

    @classmethod
    def stop(cls):
        cls.relay.terminate()
        cls.relay.wait(timeout=20)

    @classmethod
    def tearDownClass(cls):
        cls.stand_in.close()
        cls.stop()
        cls.log.close()

    def command(self, *words):
        settings = {**SETTINGS, "LISTEN_ADDR": f"127.0.0.1:{self.port}"}
        return subprocess.run([RELAY, *words], env=settings, check=True, capture_output=True, text=True).stdout

    def agent(self):
        agent = Agent(self.port)
        self.addCleanup(agent.close)
        return agent

    def turn(self, command):
        """A turn of Yandex', through a proxy."""
        turn = {"session": {"skill_id": SKILL, "user": {"user_id": USER}}, "request": {"command": command},
                "version": "1.0"}
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/alice/webhook/{SECRET}",
                                         json.dumps(turn).encode(), {"X-Forwarded-For": "192.0.2.1"})
        urllib.request.urlopen(request, timeout=20).close()

    def browser(self, **how):
        browser = Browser(self.stand_in, **how)
        self.addCleanup(browser.driver.quit)
        return browser

    def logged_in(self, **how):
        browser = self.browser(**how)
        self.log_in(browser)
        return browser

    def log_in(self, browser):
        """With the keyboard alone: the field has the focus, and Enter submits."""
        browser.driver.get(self.address)
        self.assertIn("Код входа", self.text(browser))
        code = self.command("login").split("\n")[0].lower()
        ActionChains(browser.driver).send_keys(code, Keys.ENTER).perform()
        self.until(browser, "Путь команды")

    def text(self, browser):
        # In one step: a page that is being left has no elements to ask any more.
        return browser.driver.execute_script("return document.body ? document.body.innerText : ''")

    def until(self, browser, words, there=True):
        """Waits until the page shows these words, or no longer does."""
        try:
            WebDriverWait(browser.driver, 30).until(lambda _: (words in self.text(browser)) == there)
        except TimeoutException:
            self.fail(f"{words!r}: {there} was awaited of {self.text(browser)!r}")

    def say(self, browser, words):
        field = browser.driver.find_element(By.ID, "text")
        field.send_keys(words, Keys.ENTER)

    def nothing_strange(self, browser):
        self.assertEqual(browser.complaints(), [])
        ours = (f"http://127.0.0.1:{self.port}/", "data:")
        self.assertEqual([url for url in browser.requested() if not url.startswith(ours)], [])

    def test_it_follows_an_agent_that_comes_and_goes(self):
        browser = self.logged_in()
        self.until(browser, "Не на связи.")
        self.until(browser, INVITE)
        agent = self.agent()
        self.until(browser, "На связи")
        self.assertNotIn(INVITE, self.text(browser))
        agent.close()
        self.until(browser, "Не на связи.")
        self.until(browser, INVITE)
        self.nothing_strange(browser)

    def test_what_is_said_is_answered_and_markup_is_text(self):
        agent = self.agent()
        browser = self.logged_in()
        self.say(browser, "Громче!")
        self.until(browser, "Сделано: громче")
        self.say(browser, "разметка")
        self.until(browser, MARKUP)
        self.assertEqual(browser.driver.title, "Home Alice Relay: страница владельца")
        self.assertEqual(browser.driver.find_elements(By.CSS_SELECTOR, "img, #talk b"), [])
        self.assertEqual(agent.heard, ["громче", "разметка"])
        self.assertGreaterEqual(len(browser.driver.find_elements(By.CSS_SELECTOR, "#plot circle.answered")), 2)
        self.nothing_strange(browser)

    def test_a_late_answer_appears_by_itself_and_only_where_it_was_asked_for(self):
        agent = self.agent()
        asker, other = self.logged_in(), self.logged_in()
        self.say(asker, "долго")
        self.until(asker, "Компьютер ещё выполняет команду")
        agent.finish.set()
        self.until(asker, "Наконец сделано")
        self.say(other, "готово")
        self.until(other, "Новых ответов нет.")
        self.assertNotIn("Наконец сделано", self.text(other))
        self.nothing_strange(asker)

    def test_an_id_is_copied(self):
        browser = self.logged_in()
        self.turn("помощь")
        line = f"ALICE_USER_IDS={USER}"
        self.until(browser, line)
        browser.driver.execute_cdp_cmd("Browser.grantPermissions", {
            "permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]})
        code = browser.driver.find_element(By.XPATH, f"//code[text()='{line}']")
        code.find_element(By.XPATH, "../button").send_keys(Keys.ENTER)
        self.until(browser, "Скопировано")
        copied = browser.driver.execute_async_script(
            "navigator.clipboard.readText().then(arguments[0], error => arguments[0](String(error)))")
        self.assertEqual(copied, line)

    def test_a_lost_relay_is_told_and_found_again(self):
        browser = self.logged_in()
        self.until(browser, "Работает")
        self.stop()
        self.until(browser, "Связь с сервером потеряна")
        type(self).start()
        self.until(browser, "Связь с сервером потеряна", there=False)
        self.until(browser, "Не на связи.")

    def test_a_page_of_another_origin_can_say_nothing(self):
        agent = self.agent()
        browser = self.logged_in()
        browser.driver.get("https://evil.example/")
        WebDriverWait(browser.driver, 20).until(lambda driver: driver.title == "tried")
        browser.driver.execute_script("document.getElementById('f').submit()")
        WebDriverWait(browser.driver, 20).until(lambda driver: driver.current_url.endswith("/owner/say"))
        browser.driver.get(self.address)
        self.until(browser, "Путь команды")
        self.say(browser, "своя команда")
        self.until(browser, "Сделано: своя команда")
        self.assertEqual(agent.heard, ["своя команда"])

    def test_without_scripts_it_shows_and_does_not_follow(self):
        browser = self.logged_in(scripts=False)
        self.assertIn("Не на связи.", self.text(browser))
        self.assertIn("обновите её", self.text(browser))
        for hidden in ("Сказать компьютеру", "Копировать"):
            self.assertNotIn(hidden, self.text(browser))
        self.agent()
        WebDriverWait(browser.driver, 30).until(lambda driver: driver.refresh() or "На связи" in self.text(browser))
        self.nothing_strange(browser)

    def test_whoever_comes_by_a_link_from_elsewhere_is_known(self):
        browser = self.logged_in()
        browser.driver.get("https://evil.example/link")
        browser.driver.find_element(By.TAG_NAME, "a").click()
        self.until(browser, "Путь команды")
        self.until(browser, "Работает")

    def test_a_second_press_on_a_slow_line_loses_no_login(self):
        for scripts in (True, False):
            with self.subTest(scripts=scripts):
                browser = self.browser(scripts=scripts)
                browser.driver.get(self.address)
                browser.requested()
                browser.slow(0.6)
                code = self.command("login").split("\n")[0]
                ActionChains(browser.driver).send_keys(code, Keys.ENTER).pause(0.15).send_keys(Keys.ENTER).perform()
                self.until(browser, "Путь команды")
                self.assertEqual(browser.requested().count(f"{self.address}/enter"), 1 if scripts else 2)

    def test_logging_out_takes_the_page_away(self):
        browser = self.logged_in()
        cookies = browser.driver.get_cookies()
        self.assertEqual([(one["httpOnly"], one["sameSite"]) for one in cookies], [(True, "Lax")])
        browser.driver.find_element(By.XPATH, "//button[text()='Выйти']").send_keys(Keys.ENTER)
        self.until(browser, "Код входа")
        self.assertEqual(browser.driver.get_cookies(), [])
        browser.driver.get(self.address)
        self.assertIn("Код входа", self.text(browser))

    def test_landmarks_are_there_and_the_keyboard_reaches_everything(self):
        browser = self.logged_in()
        self.until(browser, "Работает")
        for landmark in ("header", "main", "[role=log]", "[role=status]", "section[aria-labelledby]"):
            self.assertTrue(browser.driver.find_elements(By.CSS_SELECTOR, landmark), landmark)
        browser.driver.execute_script("document.activeElement.blur()")
        reached = set()
        for _ in range(60):
            ActionChains(browser.driver).send_keys(Keys.TAB).perform()
            reached.add(browser.driver.switch_to.active_element.text or
                        browser.driver.switch_to.active_element.get_attribute("id"))
        self.assertLessEqual({"К содержанию", "Выйти", "text", "Сказать", "Таблица", "Копировать"}, reached)

    def test_narrow_or_wide_light_or_dark_it_fits_and_can_be_read(self):
        self.agent()
        self.turn("громче")
        backgrounds = set()
        for scheme in ("light", "dark"):
            for width, height in ((360, 740), (320, 568), (1080, 900)):
                with self.subTest(scheme=scheme, width=width):
                    browser = self.logged_in(width=width, height=height, scheme=scheme)
                    self.until(browser, "На связи")
                    for words in ("громче", "системная информация", "пауза"):
                        self.say(browser, words)
                        self.until(browser, f"Сделано: {words}")
                    browser.driver.execute_script("document.querySelector('details').open = true")
                    # The table scrolls within a region of its own, and so takes the page nowhere.
                    region = ('<div class="scroll"', "<table", "<thead", "<tbody", "<tr", "<th", "<td")
                    out = [one for one in browser.sticking_out() if not one.startswith(region)]
                    self.assertEqual((out, browser.faint()), ([], []))
                    backgrounds.add((scheme, browser.driver.execute_script(
                        "return getComputedStyle(document.body).backgroundColor")))
                    if "--pictures" in sys.argv and width == 1080:
                        self.picture(browser, scheme)
                    self.nothing_strange(browser)
        self.assertEqual(len({color for _, color in backgrounds}), 2, "dark is another colour")

    def picture(self, browser, scheme):
        shown = browser.driver.execute_cdp_cmd("Page.captureScreenshot", {
            "format": "png", "clip": {"x": 0, "y": 0, "width": 1080, "height": 900, "scale": 0.6}})
        with open(os.path.join(DOCS, f"owner-{scheme}.png"), "wb") as file:
            file.write(base64.b64decode(shown["data"]))


if __name__ == "__main__":
    suite = unittest.defaultTestLoader.loadTestsFromTestCase(Owner)
    result = unittest.TextTestRunner(verbosity=2).run(suite)
    failed = len({str(getattr(case, "test_case", case)) for case, _ in result.failures + result.errors})
    print(f"{result.testsRun - failed} passed, {failed} failed")
    sys.exit(0 if result.wasSuccessful() and result.testsRun else 1)

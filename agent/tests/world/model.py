"""examples/model.py against a model that is made up."""

import http.server
import json
import shutil
import threading

from own import Home
from world import ROOT, check, main

ASKED = []


class Model(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        ASKED.append((self.headers["Authorization"], question))
        answer = {"choices": [{"message": {"content": "Сорок два.\nТочно."}}]}
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def test_what_nothing_else_understands_goes_to_the_model_and_its_answer_is_spoken():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Model)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with Home() as home:
        home.environment |= {"MODEL_URL": f"http://127.0.0.1:{server.server_port}/", "MODEL_KEY": "k", "MODEL_NAME": "m"}
        shutil.copy(ROOT / "agent/examples/model.py", home.config.parent)
        # As the example's own head has it.
        head = (ROOT / "agent/examples/model.py").read_text().split("\n\n")[1]
        home.write("\n".join(line.strip() for line in head.splitlines()) + "\n")
        link = home.start()
        answer = link.ask("сколько будет шестью семь", wait=60_000)
        check(answer["ok"] and answer["text"] == "Сорок два. Точно.", answer)
        key, question = ASKED[-1]
        check(key == "Bearer k" and question["model"] == "m" and question["messages"][1]["content"] == "сколько будет шестью семь",
              ASKED)
        server.shutdown()
        server.server_close()
        answer = link.ask("а теперь", wait=60_000)
        check(not answer["ok"] and answer["text"] == "Модель не отвечает.", answer)


if __name__ == "__main__":
    main(globals())

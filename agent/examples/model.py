"""Asks a language model with the interface of OpenAI what to answer, and prints that. In agent.toml:

    [[command]]
    say = "*"
    run = ["python3", "model.py", "*"]
    answer = "output"
    timeout = 60

MODEL_URL, MODEL_NAME and MODEL_KEY say which: by default a model of Ollama's on this very PC. What comes too late for
Alice's turn is kept by the relay: ask «готово?»."""

import json
import os
import sys
import urllib.request

URL = os.environ.get("MODEL_URL", "http://127.0.0.1:11434/v1/chat/completions")
RULES = "Отвечай по-русски, одним или двумя короткими предложениями, без разметки: ответ произносит голосовой помощник."

question = {
    "model": os.environ.get("MODEL_NAME", "qwen3"),
    "messages": [{"role": "system", "content": RULES}, {"role": "user", "content": sys.argv[1]}],
}
fields = {"Content-Type": "application/json", "Authorization": "Bearer " + os.environ.get("MODEL_KEY", "none")}
request = urllib.request.Request(URL, json.dumps(question).encode(), fields)
try:
    with urllib.request.urlopen(request, timeout=55) as response:
        answer = json.load(response)["choices"][0]["message"]["content"]
except (OSError, ValueError, LookupError) as error:
    sys.exit(print("Модель не отвечает.") or f"{URL}: {error}")
# The first line is spoken.
print(" ".join((answer or "Модель промолчала.").split()))

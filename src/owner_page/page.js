'use strict';
// Follows /owner/state and says what is typed. Whatever comes from outside goes in as text alone.
(() => {
  const EVERY = 3000, PATIENCE = 10000, SVG = 'http://www.w3.org/2000/svg';
  const at = id => document.getElementById(id);
  const make = (name, text, kind) => {
    const element = document.createElement(name);
    if (text !== undefined) element.textContent = text;
    if (kind) element.className = kind;
    return element;
  };
  // Nothing is drawn anew that is as it was: a screen reader would read it, and the focus would be lost.
  const drawn = {};
  const draw = (id, data, one) => {
    const now = JSON.stringify(data);
    if (drawn[id] === now) return;
    drawn[id] = now;
    at(id).replaceChildren(...data.flatMap(one));
  };
  const copyable = text => {
    const row = make('div', undefined, 'copy'), button = make('button', 'Копировать', 'script');
    button.type = 'button';
    row.append(make('code', text), button);
    return row;
  };
  const local = (element, time) => { element.textContent = new Date(time).toLocaleString('ru'); };

  const show = state => {
    at('version').textContent = state.version;
    at('started').dateTime = new Date(state.started * 1000).toISOString();
    local(at('started'), state.started * 1000);
    draw('parts', state.parts, part => {
      const item = make('li', undefined, part.light);
      item.append(make('b', part.name), make('i', part.word), make('span', part.says));
      return item;
    });
    at('invite').hidden = !state.parts.some(({ part, light }) => part === 'pc' && light === 'red');
    at('open-section').hidden = !state.open.length;
    draw('open', state.open, open => {
      const item = make('li', open.says);
      item.append(open.line ? copyable(open.line) : make('p', 'Скажите навыку что-нибудь: строка появится здесь.', 'dim'));
      return item;
    });
    draw('summary', state.summary, ([name, text]) => {
      const group = make('div');
      group.append(make('dt', name), make('dd', text));
      return group;
    });
    at('slowest').textContent = state.slowest_ms;
    draw('dots', state.commands, command => {
      const dot = document.createElementNS(SVG, 'circle');
      dot.setAttribute('class', command.how);
      dot.setAttribute('cx', command.x);
      dot.setAttribute('cy', command.y);
      dot.setAttribute('r', 4);
      return dot;
    });
    draw('rows', state.commands.slice().reverse(), command => {
      const row = make('tr'), when = make('td');
      local(when, command.at);
      row.append(when, ...[command.pc, command.word, command.ms, command.late_ms ?? ''].map(cell => make('td', cell)));
      return row;
    });
    draw('limits', state.limits, limit => {
      const item = make('li', `${limit.name}: ${limit.used} из ${limit.most} `), meter = make('meter');
      meter.max = limit.most;
      meter.value = limit.used;
      meter.setAttribute('aria-label', limit.name);
      item.append(meter);
      return item;
    });
  };

  const ask = async (path, options) => {
    const stop = new AbortController(), timer = setTimeout(() => stop.abort(), options.patience);
    try {
      return await fetch(path, { ...options, signal: stop.signal, credentials: 'same-origin', cache: 'no-store' });
    } finally {
      clearTimeout(timer);
    }
  };
  const lose = (words, link) => {
    const lost = at('lost');
    if (lost.textContent !== words) lost.textContent = words;
    if (link && !lost.firstElementChild) {
      const entry = make('a', ' Войти снова');
      entry.href = '/owner';
      lost.append(entry);
    }
    lost.hidden = false;
  };
  const GONE = 'Вход больше не действует.';

  const say = text => ask('/owner/say', {
    method: 'POST', headers: { 'Content-Type': 'application/json' }, patience: 40000,
    body: JSON.stringify({ token: at('token').value, text }),
  });
  const tell = (asked, words, note) => {
    const item = make('li');
    if (asked) item.append(make('q', asked));
    item.append(make('span', words), make('span', note, 'dim'));
    at('talk').prepend(item);
    while (at('talk').children.length > 50) at('talk').lastChild.remove();
  };
  const took = begun => `${((performance.now() - begun) / 1000).toFixed(2).replace('.', ',')} с`;

  let fetching = false, over = false;
  // What came too late is told by itself, as «готово?» would ask for it.
  const fetchLate = async () => {
    if (fetching) return;
    fetching = true;
    try {
      const response = await say('готово');
      const how = response.headers.get('Relay-Outcome');
      if (response.ok && ['news', 'lost'].includes(how)) {
        tell('', (await response.json()).response.text, 'поздний ответ');
      }
    } catch { /* The next look tells that the relay is lost. */ } finally {
      fetching = false;
    }
  };
  const look = async () => {
    try {
      const response = await ask('/owner/state', { patience: PATIENCE });
      if (response.status === 401) {
        over = true;
        return lose(GONE, true);
      }
      if (!response.ok) throw new Error(response.status);
      const state = await response.json();
      show(state);
      at('lost').hidden = true;
      if (state.you.kept) fetchLate();
    } catch {
      lose('Связь с сервером потеряна. Страница найдёт его сама.');
    }
  };
  const follow = async () => {
    if (!document.hidden) await look();
    if (!over) setTimeout(follow, EVERY);
  };

  at('say').addEventListener('submit', async event => {
    event.preventDefault();
    const field = at('text'), text = field.value, button = event.target.querySelector('button'), begun = performance.now();
    if (button.disabled) return;
    button.disabled = true;
    try {
      const response = await say(text);
      if (response.ok) {
        tell(text, (await response.json()).response.text, took(begun));
        field.value = '';
      } else if (response.status === 401) {
        lose(GONE, true);
      } else {
        tell(text, response.status === 403 ? 'Страница устарела: обновите её.' : 'Сервер не принял команду.', took(begun));
      }
    } catch {
      tell(text, 'Сервер не ответил. Возможно, команда выполнится.', took(begun));
    }
    button.disabled = false;
    field.focus();
    look();
  });

  document.addEventListener('click', async event => {
    const button = event.target.closest('.copy button');
    if (!button) return;
    const code = button.parentElement.querySelector('code');
    try {
      await navigator.clipboard.writeText(code.textContent);
      button.textContent = 'Скопировано';
      at('copied').textContent = 'Скопировано';
      setTimeout(() => { button.textContent = 'Копировать'; at('copied').textContent = ''; }, 2000);
    } catch {
      // Without https a browser may have no clipboard: it is selected, to be copied by hand.
      getSelection().selectAllChildren(code);
      at('copied').textContent = 'Выделено: скопируйте вручную';
    }
  });
  document.addEventListener('visibilitychange', () => { if (!document.hidden) look(); });

  document.documentElement.classList.add('live');
  if (location.search) history.replaceState(null, '', '/owner');
  follow();
})();

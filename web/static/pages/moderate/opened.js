/** One class from near: its picture (silent until asked), what is said and held, what was found, who is in it. */
import { button, relabel } from '../../components/button.js';
import { chat } from '../../components/chat.js';
import { roster } from '../../components/roster.js';
import { sightBadge } from '../../components/sight.js';
import { stage as makeStage } from '../../components/stage.js';
import { tabs } from '../../components/tabs.js';
import { toast } from '../../components/toast.js';
import { post, request } from '../../lib/api.js';
import { el, setText } from '../../lib/dom.js';
import * as format from '../../lib/format.js';
import { t } from '../../lib/i18n.js';
import { explain } from '../../lib/problems.js';
import { Socket } from '../../lib/socket.js';
import { heldLines } from './held.js';
import { asMessage, incidentList } from './incidents.js';
import { openedStage } from './opened-stage.js';
import { scoreChart } from './scores.js';
import { ranFor, sourceList } from './tile.js';

const MOST_INCIDENTS = 200;
const MODES = { keyframes: 'mode.keyframes', watch: 'mode.watch', screened: 'mode.screened' };

/** `node` is filled with the class that `wall.opened` names; `remove(person)` takes a person out of it. */
export function openedClass(wall, { node, remove }) {
  let session = null;

  function render() {
    if (session?.id !== wall.opened) {
      session?.close();
      session = wall.opened ? openSession(wall, wall.opened, remove) : null;
      node.replaceChildren(...(session ? [session.node] : []));
    }
    session?.render(wall.lessons.get(session.id));
  }

  addEventListener('pagehide', () => session?.close());
  return { node, render, show: (tab) => session?.show(tab) ?? false };
}

function openSession(wall, id, remove) {
  const path = `/lessons/${encodeURIComponent(id)}`;
  const socket = new Socket(id);
  const stage = makeStage({ label: t('stage.label') });
  const picture = openedStage(id, stage);
  const people = el('span', { testid: 'viewer-count' }, '–');
  const ran = el('span', { class: 'figure' });
  const sources = el('span', { class: 'facts' });
  const sight = el('span', { class: 'facts' });
  const listen = button(t('moderate.listen'), { symbol: 'sound', 'aria-pressed': 'false', press: toggleSound });
  const held = heldLines((n) => side.mark('chat', n ? ` ${format.count(n)}` : ''));
  const talk = chat({ send: (message) => socket.send({ type: 'chat', ...message }), act: lineButton, before: held.node });
  const muted = new Map();
  const list = roster({ act: personButtons });
  const incidents = new Map();
  const found = incidentList({ label: t('incidents.title'), empty: t('incidents.empty'), changed: (incident) => heard(asMessage(incident)) });
  const scores = scoreChart();
  const side = tabs(t('moderate.opened'), [
    { name: 'chat', text: t('chat.label'), panel: el('div', {}, talk.node) },
    { name: 'incidents', text: t('incidents.title'), panel: el('div', { class: 'panel-scroll' }, found.node) },
    { name: 'scores', text: t('scores.title'), panel: el('div', { class: 'panel-scroll' }, scores.node) },
    { name: 'learners', text: t('teach.learners'), panel: el('div', {}, list.node) },
  ]);
  const title = el('h2', { class: 'opened-title' });
  const node = el('div', { class: 'opened-inside' }, stage.node,
    el('div', { class: 'opened-head' }, title, listen, button(t('moderate.close'), { symbol: 'close', press: () => wall.close() })),
    el('div', { class: 'facts' }, el('span', { class: 'fact' }, t('teach.watching'), ' ', people), ran, sources, sight), side.node);
  let newest = { people: [], viewers: 0 };

  talk.follow(socket);
  socket.on('joined', (message) => {
    held.set(message.held ?? []);
    muted.clear();
    for (const one of message.muted ?? []) muted.set(one.person, one);
    incidents.clear();
    for (const one of message.incidents ?? []) incidents.set(one.id, one);
    showIncidents();
    list.set(newest);
    talk.enable(true);
  });
  socket.on('down', () => talk.enable(false, t('chat.offline')));
  socket.on('chat', ({ id: line }) => held.remove(line));
  socket.on('chat_removed', ({ id: line }) => held.remove(line));
  socket.on('held', held.add);
  socket.on('incident', heard);
  socket.on('muted', (message) => {
    if (message.active) muted.set(message.person, message);
    else muted.delete(message.person);
    list.set(newest);
  });
  socket.on('roster', (message) => {
    newest = message;
    list.set(message);
  });
  socket.start();

  function heard(incident) {
    incidents.set(incident.id, incident);
    if (incidents.size > MOST_INCIDENTS) incidents.delete(incidents.keys().next().value);
    showIncidents();
  }

  function showIncidents() {
    const all = [...incidents.values()].sort((a, b) => b.at_ms - a.at_ms);
    found.set(all);
    const open = all.filter(({ state }) => state === 'open').length;
    side.mark('incidents', open ? ` ${format.count(open)}` : '');
  }

  function lineButton({ id: line, from }) {
    if (from?.role !== 'learner') return null;
    return button(t('chat.take_away'), { kind: 'quiet', symbol: 'close', 'aria-label': t('chat.take_away_of', { name: from.name || from.person }),
      press: () => quietly(() => post(`${path}/chat/${encodeURIComponent(line)}/remove`)) });
  }

  function personButtons(person) {
    const name = person.name || person.person;
    const silent = muted.has(person.person);
    return el('span', { class: 'row' },
      button(silent ? t('person.unmute') : t('person.mute'), { kind: 'quiet', symbol: silent ? 'chat' : 'chatOff',
        'aria-label': t(silent ? 'person.unmute_of' : 'person.mute_of', { name }), press: () => quietly(() => mute(person.person, !silent)) }),
      button(t('moderate.remove'), { kind: 'quiet', symbol: 'cut', 'aria-label': t('person.remove_of', { name }), press: () => remove(person) }));
  }

  const mute = (person, on) => (on ? post(`${path}/mutes`, { person })
    : request(`/api/v1${path}/mutes/${encodeURIComponent(person)}`, { method: 'DELETE' }));

  function toggleSound() {
    stage.video.muted = !stage.video.muted;
    listen.setAttribute('aria-pressed', String(!stage.video.muted));
    relabel(listen, stage.video.muted ? t('moderate.listen') : t('moderate.silence'));
  }

  function render(lesson) {
    if (!lesson) return;
    picture.render(lesson);
    setText(title, lesson.title || lesson.id);
    setText(people, format.count(lesson.viewers ?? 0));
    setText(ran, ranFor(lesson));
    redraw(sources, lesson.sources, () => sourceList(lesson));
    redraw(sight, lesson.sight, () => (lesson.sight ? [sightBadge(lesson.sight), lesson.sight.mode !== 'off' && el('span', { class: 'hint' }, modeWords(lesson.sight))].filter(Boolean) : []));
    scores.set(lesson.points, [...incidents.values()]);
  }

  function show(tab) {
    side.show(tab);
    if (tab === 'chat') held.focus();
    else if (tab === 'incidents') found.focus();
    return true;
  }

  function close() {
    socket.stop();
    picture.close();
  }

  return { id, node, render, show, close };
}

function redraw(box, value, draw) {
  const key = JSON.stringify(value ?? null);
  if (box.dataset.key === key) return;
  box.dataset.key = key;
  box.replaceChildren(...draw());
}

function modeWords({ mode, delay_ms: delay }) {
  return t(MODES[mode] ?? 'mode.watch', { n: format.seconds(delay) });
}

async function quietly(work) {
  try {
    await work();
  } catch (problem) {
    toast(explain(problem), 'warn');
  }
}

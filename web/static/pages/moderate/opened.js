/** One class from near: its picture (silent until asked), who is in it, what is said. */
import { button, relabel } from '../../components/button.js';
import { chat } from '../../components/chat.js';
import { roster } from '../../components/roster.js';
import { stage as makeStage } from '../../components/stage.js';
import { tabs } from '../../components/tabs.js';
import { el, setText } from '../../lib/dom.js';
import * as format from '../../lib/format.js';
import { t } from '../../lib/i18n.js';
import { isDark } from '../../lib/lesson.js';
import { explain } from '../../lib/problems.js';
import { Socket } from '../../lib/socket.js';
import { Viewer } from '../../lib/whep.js';
import { ranFor, sourceList } from './tile.js';

export function openedClass(wall, remove) {
  const node = el('section', { class: 'opened-class panel', 'aria-label': t('moderate.opened'), hidden: true });
  let session = null;

  function render() {
    if (session?.id !== wall.opened) {
      session?.close();
      session = wall.opened ? openSession(wall.opened, remove) : null;
      node.replaceChildren(...(session ? [session.node] : []));
      node.hidden = session === null;
      // On a narrow page the class opens above the wall.
      if (session && matchMedia('(width < 960px)').matches) node.scrollIntoView({ block: 'nearest' });
    }
    session?.render(wall.lessons.find(({ id }) => id === session.id));
  }

  addEventListener('pagehide', () => session?.close());
  return { node, render };
}

function openSession(id, remove) {
  const socket = new Socket(id);
  const viewer = new Viewer(id, { pictures: 2 });
  const stage = makeStage({ label: t('stage.label') });
  stage.video.muted = true;
  const facts = el('div', { class: 'facts' });
  const people = el('span', { testid: 'viewer-count' }, '–');
  const ran = el('span', { class: 'figure' });
  const sources = el('span', { class: 'facts' });
  facts.append(el('span', { class: 'fact' }, t('teach.watching'), ' ', people), ran, sources);
  const listen = button(t('moderate.listen'), { symbol: 'sound', 'aria-pressed': 'false', press: toggleSound });
  const talk = chat({ send: (message) => socket.send({ type: 'chat', ...message }) });
  const list = roster({ act: (person) => button(t('moderate.remove'), { kind: 'quiet', press: () => remove(person) }) });
  const side = tabs(t('moderate.opened'), [
    { name: 'chat', text: t('chat.label'), panel: el('div', {}, talk.node) },
    { name: 'learners', text: t('teach.learners'), panel: el('div', {}, list.node) },
  ]);
  const node = el('div', { class: 'opened-inside' }, stage.node, facts, listen, side.node);
  let sent = null;
  let gone = false;

  socket.on('joined', (message) => {
    talk.history(message.chat ?? []);
    talk.enable(true);
  });
  socket.on('down', () => talk.enable(false, t('chat.offline')));
  socket.on('chat', talk.add);
  socket.on('chat_removed', ({ id: line }) => talk.remove(line));
  socket.on('error', (problem) => talk.refuse(problem.ref, explain(problem)));
  socket.on('roster', (message) => list.set(message));
  viewer.on('tracks', showTracks);
  socket.start();
  viewer.start();

  // After a cut not even the last frame stays.
  function any() {
    return !gone && (!sent || sent.camera || sent.screen || sent.blank);
  }

  function showTracks() {
    const both = any() && sent?.camera && sent?.screen;
    const { tracks } = viewer;
    if (stage.show({ audio: tracks.audio, picture: any() ? tracks.main : null, second: both ? tracks.second : null })) {
      stage.video.play().catch(() => null);
    }
  }

  function toggleSound() {
    stage.video.muted = !stage.video.muted;
    listen.setAttribute('aria-pressed', String(!stage.video.muted));
    relabel(listen, stage.video.muted ? t('moderate.listen') : t('moderate.silence'));
  }

  function render(lesson) {
    if (!lesson) return;
    sent = lesson.sources ?? null;
    gone = isDark(lesson) || lesson.state === 'ended';
    showTracks();
    setText(people, format.count(lesson.viewers ?? 0));
    setText(ran, ranFor(lesson));
    const key = JSON.stringify(lesson.sources);
    if (sources.dataset.key !== key) {
      sources.dataset.key = key;
      sources.replaceChildren(...sourceList(lesson));
    }
    stage.say(stageWords(lesson, viewer.link.state) ?? (any() && !stage.video.videoWidth ? t('learn.almost') : null));
  }

  function close() {
    socket.stop();
    viewer.stop();
  }

  return { id, node, render, close };
}

function stageWords(lesson, link) {
  if (lesson.state === 'ended') return t('moderate.stage_ended');
  if (isDark(lesson)) return t('moderate.stage_cut');
  if (lesson.state === 'waiting' || lesson.publishing === false) return t('moderate.stage_waiting');
  if (link?.name === 'stopped') return explain(link.problem ?? { code: link.why });
  if (link?.name !== 'open') return t('stage.connecting');
  if (lesson.state === 'paused') return t('moderate.stage_paused');
  if (lesson.sources?.blank) return t('moderate.stage_blank');
  return null;
}

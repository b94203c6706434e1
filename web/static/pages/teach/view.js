/** The instructor's page as nodes: stage left, checks or chat and learners right, the bar below. */
import { askAppeal } from '../../components/appeal.js';
import { stateBadge, badge } from '../../components/badge.js';
import { chat } from '../../components/chat.js';
import { notices } from '../../components/notices.js';
import { roster } from '../../components/roster.js';
import { stage as makeStage } from '../../components/stage.js';
import { tabs } from '../../components/tabs.js';
import { topbar } from '../../components/topbar.js';
import { el, mount, setText } from '../../lib/dom.js';
import * as format from '../../lib/format.js';
import { t } from '../../lib/i18n.js';
import { isDark } from '../../lib/lesson.js';
import { controlBar } from './bar.js';
import { callOn } from './call-on.js';
import { setupCard } from './setup.js';
import { farewell } from './farewell.js';
import { findings } from './findings.js';
import { teachNotices } from './warnings.js';
import { uploadWords } from './upload.js';

export function drawTeach(broadcast) {
  const { socket, devices } = broadcast;
  const state = el('span', { class: 'state' });
  const elapsed = el('span', { class: 'figure', role: 'timer', 'aria-label': t('teach.elapsed') });
  const people = el('span', { testid: 'viewer-count' }, '–');
  const recording = el('span', { class: 'rec', hidden: true }, el('span', { class: 'dot' }), el('span', { class: 'figure' }));
  const upload = uploadWords(broadcast);
  const bar = topbar(t('teach.title'), state, elapsed,
    el('span', { class: 'fact' }, t('teach.watching'), ' ', people), recording, upload.node);

  const stage = makeStage({ label: t('stage.preview') });
  const delay = el('p', { class: 'hint', testid: 'delay', hidden: true });
  stage.video.muted = true;
  const notes = notices();
  const talk = chat({
    send: (message) => socket.send({ type: 'chat', ...message }),
    object: askAppeal,
    unseen: () => side.mark('chat', ' •'),
  });
  const people200 = roster({ act: callOn(socket) });
  const seen = findings(broadcast.screening, notes, (n) => side.mark('findings', n ? ` ${format.count(n)}` : ''));
  const quizBox = el('div', { class: 'quiz-box' });
  let learners = [];
  let openQuiz = null;
  const side = tabs(t('teach.side'), [
    { name: 'chat', text: t('chat.label'), panel: el('div', {}, talk.node) },
    { name: 'learners', text: t('teach.learners'), panel: el('div', {}, people200.node) },
    { name: 'quiz', text: t('teach.quiz'), panel: quizBox },
    { name: 'findings', text: t('finding.title'), panel: el('div', {}, seen.node) },
  ], { changed: (name) => name === 'chat' && side.mark('chat', '') });
  const setup = setupCard(broadcast);
  const sideBox = el('aside', { class: 'teach-side panel', 'aria-label': t('teach.side') });
  const controls = controlBar(broadcast, { askQuiz });
  const last = farewell(broadcast);
  mount(bar.node, el('main', { class: 'teach', tabindex: '-1' },
    el('div', { class: 'teach-main' }, notes.node, stage.node, delay, controls.node), sideBox));

  talk.follow(socket);
  socket.on('roster', (message) => {
    people200.set(message);
    learners = message.people.filter(({ role }) => role === 'learner');
    side.mark('learners', ` ${format.count(message.viewers)}`);
  });

  const warn = teachNotices(broadcast, notes);
  broadcast.on('change', render);
  setInterval(tick, 1000);
  render();

  async function askQuiz() {
    if (await openQuiz?.()) side.show('quiz');
  }

  function render() {
    const { phase, lesson, screen } = broadcast;
    if (lesson.title) bar.name(lesson.title);
    document.documentElement.dataset.phase = phase;
    bar.language.hidden = phase === 'live';
    showState(phase === 'ended' ? 'ended' : lesson.state);
    setText(people, lesson.viewers === null ? '–' : format.count(lesson.viewers));
    showRecording(broadcast.recording);
    const inside = phase === 'setup' ? setup.node : phase === 'live' ? side.node : last.node;
    if (sideBox.firstChild !== inside) sideBox.replaceChildren(inside);
    controls.node.hidden = phase !== 'live';
    const { muted } = broadcast.screening;
    talk.enable(broadcast.online && broadcast.chatOn && !muted, !broadcast.chatOn ? t('chat.off') : muted ? t('chat.muted') : t('chat.offline'));
    showStage(screen);
    const { delayMs } = broadcast.screening;
    delay.hidden = phase !== 'live' || !delayMs;
    setText(delay, t('teach.delay', { n: format.seconds(delayMs) }));
    setup.render();
    controls.render();
    last.render();
    warn();
    tick();
  }

  function showStage(screen) {
    const { camera } = devices.tracks;
    stage.node.classList.toggle('mirrored', !screen);
    stage.node.classList.toggle('mirrored-inset', Boolean(screen));
    if (stage.show({ picture: screen ?? camera, second: screen ? camera : null })) stage.video.play().catch(() => null);
    stage.say(...stageWords(broadcast));
  }

  function showState(name) {
    if (!name || state.dataset.state === name) return;
    state.dataset.state = name;
    state.replaceChildren(name === 'live' ? badge(t('teach.live'), 'live') : stateBadge(name));
  }

  function showRecording(now) {
    recording.hidden = broadcast.phase !== 'live' || now?.state !== 'recording';
    setText(recording.lastChild, now ? t('teach.recording', { size: format.size(now.bytes ?? 0) }) : '');
  }

  function tick() {
    const { phase, lesson } = broadcast;
    const running = phase === 'live' && lesson.started_at_ms;
    setText(elapsed, running ? format.elapsed(Date.now() + broadcast.clockOffsetMs - lesson.started_at_ms) : '');
  }

  /** The part that asks comes after the page stands. */
  function addQuiz(makePanel) {
    const { node, open } = makePanel(broadcast.id, () => learners);
    quizBox.append(node);
    openQuiz = open;
  }

  return { addQuiz };
}

const CLOSED = {
  ended: 'teach.stage_ended', replaced: 'teach.stage_replaced', denied: 'teach.stage_denied', signed_out: 'learn.signed_out', unknown: 'teach.stage_unknown',
  removed: 'teach.stage_denied', refused: 'teach.stage_refused', codec: 'teach.stage_refused',
};
const CAMERA = {
  refused: ['device.camera_refused', 'device.camera_refused_hint'], missing: ['device.camera_missing', 'device.camera_missing_hint'],
  busy: ['device.camera_busy', 'device.camera_busy_hint'], insecure: ['device.insecure', 'device.insecure_hint'],
  unplugged: ['device.camera_unplugged', 'device.camera_missing_hint'], off: ['device.camera_off', 'device.camera_off_hint'],
};

function stageWords({ phase, lesson, devices, screen, blank, paused, cut, publisher }) {
  if (phase in CLOSED) return [t(CLOSED[phase])];
  if (phase === 'live') {
    const link = publisher.link.state.name;
    if (isDark({ state: lesson.state, cut })) return [t('teach.stage_cut'), t('teach.stage_cut_hint')];
    if (link === 'retrying') return [t('teach.stage_lost'), t('teach.stage_lost_hint')];
    if (paused) return [t('teach.stage_paused'), t('teach.stage_paused_hint')];
    if (blank) return [t('teach.stage_blank'), t('teach.stage_blank_hint')];
  }
  if (screen || devices.tracks.camera) return [null];
  const why = CAMERA[devices.problems.camera];
  return why ? why.map((key) => t(key)) : [t('device.asking'), t('device.asking_hint')];
}

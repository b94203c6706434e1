/** The moderator's page: the wall or the queue, the bar of the selected class, the opened class beside them. */
import { button, relabel } from '../../components/button.js';
import { dialogOpen } from '../../components/dialog.js';
import { notices } from '../../components/notices.js';
import { tabs } from '../../components/tabs.js';
import { topbar } from '../../components/topbar.js';
import { el, mount, setText } from '../../lib/dom.js';
import * as format from '../../lib/format.js';
import { t } from '../../lib/i18n.js';
import { explain } from '../../lib/problems.js';
import { alarmBar } from './alarm.js';
import { cutWords } from './cut-words.js';
import { askCut, askRemove, askRestore } from './cutting.js';
import { tileGrid } from './tiles.js';
import { wallTools } from './tools.js';

export function drawModerate(wall) {
  const bar = topbar(t('moderate.title'));
  const notes = notices();
  const name = el('p', { class: 'chosen-name' });
  const notice = el('p', { class: 'notice danger', hidden: true, testid: 'cut-notice', role: 'status' });
  const open = button(t('moderate.open'), { symbol: 'full', key: 'Enter', press: toggleOpened });
  const cut = button(t('moderate.cut'), { kind: 'danger', symbol: 'cut', key: 'C', testid: 'cut-lesson', 'aria-keyshortcuts': 'C', press: cutNow });
  const mute = button(t('moderate.mute_chat'), { symbol: 'chatOff', key: 'M', testid: 'mute-chat', 'aria-keyshortcuts': 'M', press: muteNow });
  const restore = button(t('moderate.restore'), { symbol: 'restore', key: 'R', testid: 'restore-lesson', 'aria-keyshortcuts': 'R', press: restoreNow });
  const tiles = tileGrid(wall, openClass);
  const tools = wallTools(wall, tiles);
  const queuePanel = el('div', {}, el('p', { class: 'empty' }, t('moderate.loading')));
  const views = tabs(t('moderate.title'), [
    { name: 'wall', text: t('moderate.wall'), panel: el('div', {}, tools.node, tiles.node) },
    { name: 'queue', text: t('queue.title'), panel: queuePanel },
  ], { changed: shown });
  const alarm = alarmBar(wall, goTo);
  const actions = el('section', { class: 'chosen panel', 'aria-label': t('moderate.chosen') },
    el('div', { class: 'chosen-words' }, name, notice), el('div', { class: 'row' }, open, cut, mute, restore));
  const near = el('aside', { class: 'opened-class panel', 'aria-label': t('moderate.opened'), hidden: true });
  const main = el('main', { class: 'moderate', tabindex: '-1' },
    el('div', { class: 'wall-box' }, notes.node, alarm.node, views.node, el('p', { class: 'hint keys' }, t('moderate.keys')), actions), near);
  mount(bar.node, main);
  /** What is not needed for the first look at the wall comes after it. */
  const parts = { opened: null, queue: null };
  const later = requestIdle(async () => {
    const [{ openedClass }, { incidentQueue }] = await Promise.all([import('./opened.js'), import('./queue.js')]);
    parts.opened = openedClass(wall, { node: near, remove: (person) => askRemove(wall, wall.current, person) });
    parts.queue = incidentQueue(wall);
    queuePanel.replaceChildren(parts.queue.node);
    render();
  });

  wall.on('change', render);
  addEventListener('keydown', pressed);
  render();

  function render() {
    sayConnection();
    tools.render();
    tiles.render();
    alarm.render();
    const calling = wall.urgent.length;
    document.title = `${calling ? `(${format.count(calling)}) ` : ''}${t('moderate.title')} · ${t('brand.name')}`;
    views.mark('queue', ` ${format.count(wall.openIncidents)}`);
    const { current } = wall;
    actions.hidden = current === null;
    if (current) renderChosen(current);
    near.hidden = wall.opened === null;
    main.classList.toggle('opened', wall.opened !== null);
    parts.opened?.render();
    parts.queue?.render();
  }

  /** The list goes on without the socket, and the last that was known stays on the screen without the list. */
  function sayConnection() {
    const lost = wall.loaded && !wall.live && !wall.problem;
    notes.set('list', wall.problem && !wall.live ? explain(wall.problem) : null, { tone: 'danger' });
    notes.set('socket', lost ? t(wall.refused === 'denied' ? 'moderate.wall_denied' : 'moderate.wall_lost') : null);
  }

  function renderChosen(current) {
    const words = cutWords(current, wall.cuts.get(current.id));
    setText(name, current.title || current.id);
    notice.hidden = !words;
    setText(notice, words ?? '');
    const over = current.state === 'ended';
    cut.disabled = over || current.state === 'cut';
    mute.disabled = over || current.state === 'cut' || current.chat_on === false;
    restore.disabled = !current.cut && current.state !== 'cut';
    const isOpen = wall.opened === current.id;
    relabel(open, isOpen ? t('moderate.close') : t('moderate.open'));
    setText(open.querySelector('.key'), isOpen ? 'Esc' : 'Enter');
  }

  function pressed(event) {
    const typing = event.target.closest?.('input:not([type="checkbox"]), textarea, select, [contenteditable]');
    if (dialogOpen() || typing || event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.defaultPrevented) return;
    const act = KEYS[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (act && act() !== false) event.preventDefault();
  }

  const onNothing = () => document.activeElement === document.body || document.activeElement === main;
  const KEYS = {
    c: () => !cut.disabled && cutNow(),
    m: () => !mute.disabled && muteNow(),
    r: () => !restore.disabled && restoreNow(),
    j: alarm.next,
    s: () => wall.sort(),
    q: () => views.show(views.current() === 'queue' ? 'wall' : 'queue'),
    h: () => parts.opened?.show('chat') ?? false,
    i: () => parts.opened?.show('incidents') ?? false,
    Escape: () => (wall.opened ? closeClass() : false),
    Enter: () => (onNothing() && wall.selected ? toggleOpened() : false),
    ArrowRight: () => (onNothing() ? tiles.show() : false),
    ArrowDown: () => (onNothing() ? tiles.show() : false),
  };

  function shown(view) {
    if (view === 'queue') later.then(() => parts.queue.refresh());
  }

  async function openClass(id) {
    await later;
    wall.open(id);
    // On a narrow page the class opens above the wall.
    if (matchMedia('(width < 960px)').matches) near.scrollIntoView({ block: 'start' });
  }

  function closeClass() {
    wall.close();
    tiles.show();
  }

  function toggleOpened() {
    if (wall.opened === wall.selected) closeClass();
    else return openClass(wall.selected);
  }

  function goTo(id) {
    views.show('wall');
    wall.select(id);
    tiles.show();
  }

  function cutNow() {
    if (wall.current) askCut(wall, wall.current);
  }

  function muteNow() {
    if (wall.current) askCut(wall, wall.current, 'chat');
  }

  function restoreNow() {
    if (wall.current) askRestore(wall, wall.current);
  }
}

/** Runs `work` when the page has been drawn and nothing presses; resolves with what it returns. */
function requestIdle(work) {
  const idle = window.requestIdleCallback ?? ((then) => setTimeout(then, 200));
  return new Promise((resolve) => { idle(() => resolve(work()), { timeout: 1000 }); });
}

/** The wall, the bar of the selected class, and the opened class beside them. */
import { button, relabel } from '../../components/button.js';
import { dialogOpen } from '../../components/dialog.js';
import { topbar } from '../../components/topbar.js';
import { el, mount, setText } from '../../lib/dom.js';
import * as format from '../../lib/format.js';
import { t } from '../../lib/i18n.js';
import { explain } from '../../lib/problems.js';
import { askCut, askRestore } from './cutting.js';
import { openedClass } from './opened.js';
import { cutWords, tile } from './tile.js';

const STEPS = { ArrowRight: 1, ArrowLeft: -1 };

export function drawModerate(wall) {
  const bar = topbar(t('moderate.title'));
  const summary = el('p', { class: 'summary', role: 'status' });
  const tiles = el('ul', { class: 'wall', 'aria-label': t('moderate.wall'), on: { keydown: moved } });
  const empty = el('p', { class: 'empty', hidden: true });
  const ended = el('input', { type: 'checkbox', id: 'ended', on: { change: () => { wall.showEnded = ended.checked; wall.emit('change'); } } });
  const name = el('p', { class: 'chosen-name' });
  const notice = el('p', { class: 'notice danger', hidden: true, testid: 'cut-notice', role: 'status' });
  const open = button(t('moderate.open'), { symbol: 'full', key: 'Enter', press: () => toggleOpened() });
  const cut = button(t('moderate.cut'), { kind: 'danger', symbol: 'cut', key: 'C', testid: 'cut-lesson', 'aria-keyshortcuts': 'C', press: () => cutNow() });
  const restore = button(t('moderate.restore'), { symbol: 'restore', key: 'R', testid: 'restore-lesson', 'aria-keyshortcuts': 'R', press: () => restoreNow() });
  const opened = openedClass(wall, (person) => askCut(wall, wall.current, person));
  const actions = el('section', { class: 'chosen panel', 'aria-label': t('moderate.chosen') },
    name, notice, el('div', { class: 'row' }, open, cut, restore));
  const main = el('main', { class: 'moderate', tabindex: '-1' },
    el('section', { class: 'wall-box' }, el('div', { class: 'wall-tools' }, summary,
      el('label', { class: 'check', for: 'ended' }, ended, t('moderate.show_ended'))), empty, tiles,
    el('p', { class: 'hint keys' }, t('moderate.keys'))),
    el('div', { class: 'desk-side' }, actions, opened.node));
  mount(bar.node, main);

  let drawn = '';
  wall.on('change', render);
  addEventListener('keydown', pressed);
  setInterval(render, 1000);
  render();

  function render() {
    const shown = wall.shown;
    const live = wall.lessons.filter(({ state }) => state === 'live').length;
    setText(summary, wall.problem ? explain(wall.problem) : t('moderate.summary', { live: format.count(live), all: format.count(wall.lessons.length) }));
    summary.classList.toggle('problem', wall.problem !== null);
    empty.hidden = shown.length > 0 || wall.problem !== null;
    setText(empty, wall.loaded ? t('moderate.empty') : t('moderate.loading'));
    drawTiles(shown);
    const { current } = wall;
    actions.hidden = current === null;
    if (current) renderChosen(current);
    main.classList.toggle('opened', wall.opened !== null);
    opened.render();
  }

  function renderChosen(current) {
    const words = cutWords(current, wall.cuts.get(current.id));
    setText(name, current.title || current.id);
    notice.hidden = !words;
    setText(notice, words ?? '');
    cut.disabled = current.state === 'ended' || current.state === 'cut';
    restore.disabled = !current.cut && current.state !== 'cut';
    const near = wall.opened === current.id;
    relabel(open, near ? t('moderate.close') : t('moderate.open'));
    setText(open.querySelector('.key'), near ? 'Esc' : 'Enter');
  }

  /** Drawn anew only when something changed, so that focus and hovering stay where they are. */
  function drawTiles(shown) {
    const second = Math.floor(Date.now() / 1000);
    const key = JSON.stringify([shown, wall.selected, [...wall.cuts], shown.some(({ state }) => state === 'live') && second]);
    if (key === drawn) return;
    drawn = key;
    const focused = tiles.contains(document.activeElement);
    tiles.replaceChildren(...shown.map((lesson) => tile(lesson, {
      selected: lesson.id === wall.selected, mine: wall.cuts.get(lesson.id),
      press: () => { wall.select(lesson.id); focusSelected(); }, enter: () => wall.open(lesson.id),
    })));
    if (focused) focusSelected();
  }

  function focusSelected() {
    tiles.querySelector('[tabindex="0"]')?.focus();
  }

  function moved(event) {
    const row = rowLength(tiles);
    const step = STEPS[event.key] ?? { ArrowDown: row, ArrowUp: -row }[event.key];
    if (step) {
      wall.move(step);
      focusSelected();
    } else if (event.key === 'Enter') {
      wall.open(wall.selected);
    } else return;
    event.preventDefault();
  }

  function pressed(event) {
    const typing = event.target.closest?.('input, textarea, select, [contenteditable]');
    if (dialogOpen() || typing || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    const key = event.key.toLowerCase();
    if (key === 'c' && !cut.disabled) cutNow();
    else if (key === 'r' && !restore.disabled) restoreNow();
    else if (event.key === 'Escape' && wall.opened) wall.close();
    else if (event.key === 'Enter' && document.activeElement === document.body && wall.selected) toggleOpened();
    else if (event.key in STEPS && document.activeElement === document.body) focusSelected();
    else return;
    event.preventDefault();
  }

  function toggleOpened() {
    if (wall.opened === wall.selected) wall.close();
    else wall.open(wall.selected);
  }

  const cutNow = () => wall.current && askCut(wall, wall.current);
  const restoreNow = () => wall.current && askRestore(wall, wall.current);
}

/** How many tiles stand beside each other right now. */
function rowLength(tiles) {
  const tops = [...tiles.children].map((node) => node.offsetTop);
  return Math.max(1, tops.filter((top) => top === tops[0]).length);
}

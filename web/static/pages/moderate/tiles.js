/** The grid of tiles: how many stand beside each other, in which order, and what the pointer and the arrows do. */
import { el, setText } from '../../lib/dom.js';
import { t } from '../../lib/i18n.js';
import { Thumbnails } from './thumbnails.js';
import { tile } from './tile.js';

const FEWEST = 2;
const MOST = 6;
/** Pixels a tile likes to be wide; under the least, one stands alone. */
const COMFORTABLE = 270;
const LEAST = 340;
const MOVE_MS = 220;
/** More than so many that move at once nobody can follow: they stand where they belong at once. */
const MOST_MOVING = 12;
const STEPS = { ArrowRight: 1, ArrowLeft: -1 };

/** `open(id)`: the person wants to see the class from near. */
export function tileGrid(wall, open) {
  const grid = el('ul', { class: 'wall', 'aria-label': t('moderate.wall'), testid: 'wall',
    on: { keydown: moved, pointermove: pointed, pointerleave: () => wall.touch(focusedId()), focusin: () => wall.touch(focusedId()) } });
  const empty = el('p', { class: 'empty', role: 'status', hidden: true });
  const node = el('div', {}, empty, grid);
  const tiles = new Map();
  const thumbnails = new Thumbnails(wall.socket);
  let columns = 0;
  let columnsAsked = 0;

  new ResizeObserver(() => requestAnimationFrame(layOut)).observe(node);

  function layOut() {
    const width = node.clientWidth;
    const fits = width < LEAST ? 1 : Math.min(MOST, Math.max(FEWEST, Math.floor(width / COMFORTABLE)));
    const next = columnsAsked || fits;
    if (next === columns) return;
    columns = next;
    grid.style.gridTemplateColumns = `repeat(${columns}, minmax(0, 1fr))`;
  }

  function choose(asked) {
    columnsAsked = asked;
    layOut();
  }

  function render() {
    const shown = wall.shown;
    empty.hidden = shown.length > 0 || (wall.problem !== null && !wall.live);
    setText(empty, wall.loaded ? t('moderate.empty') : t('moderate.loading'));
    for (const id of [...tiles.keys()]) if (!wall.order.includes(id)) drop(id);
    for (const { id } of shown) if (!tiles.has(id)) make(id);
    arrange();
    for (const lesson of shown) {
      tiles.get(lesson.id).set(lesson, { selected: lesson.id === wall.selected, mine: wall.cuts.get(lesson.id),
        fresh: thumbnails.isFresh(lesson.id), near: thumbnails.isVisible(lesson.id) });
    }
  }

  function make(id) {
    const made = tile(id, { press: (pressed) => { wall.select(pressed); focus(); }, enter: open });
    tiles.set(id, made);
    thumbnails.add(id, made);
  }

  function drop(id) {
    tiles.get(id).node.remove();
    tiles.delete(id);
    thumbnails.drop(id);
  }

  /** Puts the nodes in order, and lets the few that moved glide to their new places. */
  function arrange() {
    const now = [...grid.children].map(({ dataset }) => dataset.lesson);
    if (now.join() === wall.order.join()) return;
    const focused = grid.contains(document.activeElement) ? document.activeElement : null;
    const before = new Map(now.map((id) => [id, tiles.get(id).node.getBoundingClientRect()]));
    grid.replaceChildren(...wall.order.map((id) => tiles.get(id).node));
    focused?.focus({ preventScroll: true });
    if (matchMedia('(prefers-reduced-motion: reduce)').matches) return;
    const moved = [...before].map(([id, { left, top }]) => {
      const { node } = tiles.get(id);
      const to = node.getBoundingClientRect();
      return { node, x: left - to.left, y: top - to.top };
    }).filter(({ x, y }) => x !== 0 || y !== 0);
    if (moved.length > MOST_MOVING) return;
    for (const { node, x, y } of moved) {
      node.animate([{ translate: `${x}px ${y}px` }, { translate: '0 0' }], { duration: MOVE_MS, easing: 'ease-out' });
    }
  }

  function focus() {
    tiles.get(wall.selected)?.button.focus();
  }

  /** The selected class in sight, with the keys on it. */
  function show() {
    render();
    tiles.get(wall.selected)?.node.scrollIntoView({ block: 'nearest' });
    focus();
  }

  const focusedId = () => document.activeElement?.closest?.('.tile-box')?.dataset.lesson ?? null;

  function pointed(event) {
    wall.touch(event.target.closest('.tile-box')?.dataset.lesson ?? focusedId());
  }

  function moved(event) {
    const steps = STEPS[event.key] ?? { ArrowDown: columns, ArrowUp: -columns, Home: -wall.order.length, End: wall.order.length }[event.key];
    if (steps) {
      wall.move(steps);
      wall.touch(wall.selected);
      show();
    } else if (event.key === 'Enter') {
      open(wall.selected);
    } else return;
    event.preventDefault();
  }

  return { node, grid, render, choose, show, focus };
}

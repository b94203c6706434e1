import { el } from '../lib/dom.js';
import { t } from '../lib/i18n.js';

const CORNERS = ['bottom-right', 'bottom-left', 'top-left', 'top-right'];

/** The small picture in a corner of the stage: dragged to another corner, or moved by the arrow keys. */
export function inset() {
  const video = el('video', { muted: true, playsinline: true, 'aria-hidden': 'true', tabindex: '-1' });
  const node = el('button', { type: 'button', class: 'inset', hidden: true, 'aria-label': t('stage.inset') }, video);
  let corner = 0;
  let start = null;
  place(0);

  function place(next) {
    corner = (next + CORNERS.length) % CORNERS.length;
    node.dataset.corner = CORNERS[corner];
  }

  node.addEventListener('keydown', ({ key }) => {
    const step = { ArrowRight: -1, ArrowUp: -1, ArrowLeft: 1, ArrowDown: 1, Enter: 1 }[key];
    if (step) place(corner + step);
  });
  node.addEventListener('click', (event) => event.stopPropagation());
  node.addEventListener('pointerdown', (event) => {
    start = { x: event.clientX, y: event.clientY };
    node.setPointerCapture(event.pointerId);
  });
  node.addEventListener('pointermove', (event) => {
    if (start) node.style.translate = `${event.clientX - start.x}px ${event.clientY - start.y}px`;
  });
  for (const type of ['pointerup', 'pointercancel']) node.addEventListener(type, () => drop());

  function drop() {
    if (!start) return;
    start = null;
    const mine = node.getBoundingClientRect();
    const whole = node.parentElement.getBoundingClientRect();
    const right = mine.left + mine.width / 2 > whole.left + whole.width / 2;
    const low = mine.top + mine.height / 2 > whole.top + whole.height / 2;
    node.style.translate = '';
    place(CORNERS.indexOf(`${low ? 'bottom' : 'top'}-${right ? 'right' : 'left'}`));
  }

  function show(track) {
    node.hidden = track === null;
    const now = video.srcObject?.getVideoTracks()[0] ?? null;
    if (now === track) return;
    video.srcObject = track ? new MediaStream([track]) : null;
    if (track) video.play().catch(() => null);
  }

  return { node, show };
}

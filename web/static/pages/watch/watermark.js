/** Who is watching and when, over the picture: a copy made of the screen says whose it is. */
import { el, setText } from '../../lib/dom.js';
import * as format from '../../lib/format.js';

const MOVE_MS = 7_000;
// Corners, edges and the middle in an order that leaves no part of the picture free for long; per cent.
const PLACES = [[4, 6], [56, 70], [28, 38], [62, 8], [6, 74], [46, 46], [8, 40], [34, 10], [30, 80]];

export function watermark(stage, video, viewer) {
  const node = el('div', { class: 'watermark', testid: 'watermark', 'aria-hidden': 'true' });
  let turn = 0;

  /** On the picture itself, not on the bars beside or above it. */
  function place() {
    const { clientWidth: width, clientHeight: height } = stage;
    const ratio = video.videoWidth / video.videoHeight || 16 / 9;
    const shown = Math.min(width, height * ratio);
    const [left, top] = PLACES[turn % PLACES.length];
    node.style.left = `${Math.round((width - shown) / 2 + (shown * left) / 100)}px`;
    node.style.top = `${Math.round((height - shown / ratio) / 2 + (shown / ratio * top) / 100)}px`;
    node.style.maxWidth = `${Math.round(shown * (1 - left / 100))}px`;
  }

  function show() {
    setText(node, `${viewer} ${format.dateTime(Date.now())}`.trim());
    // Whatever took it away: it comes again.
    if (node.parentNode !== stage) stage.append(node);
    place();
  }

  show();
  setInterval(() => {
    turn += 1;
    show();
  }, MOVE_MS);
  new ResizeObserver(place).observe(stage);
  video.addEventListener('loadedmetadata', place);
}

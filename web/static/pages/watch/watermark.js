/** Who is watching and when, over the picture: a copy made of the screen says whose it is. */
import { el, setText } from '../../lib/dom.js';
import * as format from '../../lib/format.js';

const MOVE_MS = 7_000;
// Corners, edges and the middle in an order that leaves no part of the picture free for long; per cent.
const PLACES = [[4, 6], [56, 70], [28, 38], [62, 8], [6, 74], [46, 46], [8, 40], [34, 10], [30, 80]];

export function watermark(stage, viewer) {
  const node = el('div', { class: 'watermark', testid: 'watermark', 'aria-hidden': 'true' });
  let turn = 0;

  function move() {
    const [left, top] = PLACES[turn % PLACES.length];
    turn += 1;
    setText(node, `${viewer} ${format.dateTime(Date.now())}`.trim());
    node.style.left = `${left}%`;
    node.style.top = `${top}%`;
    // Whatever took it away: it comes again.
    if (node.parentNode !== stage) stage.append(node);
  }

  move();
  setInterval(move, MOVE_MS);
}

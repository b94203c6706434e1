import { request } from '../lib/api.js';
import { el } from '../lib/dom.js';
import { t } from '../lib/i18n.js';
import { explain } from '../lib/problems.js';
import { badge } from './badge.js';
import { categoryName } from './category.js';

/**
 * The picture that something was found in, with a numbered box over each line that was read there.
 * `address`: of the JPEG; `lines`: [{ line, box: [left, top, right, bottom] in its pixels, label }].
 * Each look is written to the ledger, so it is fetched once, when it is to be seen.
 */
export function evidence({ address, lines = [], alt }) {
  const found = lines.filter(({ label }) => label !== 'benign');
  const picture = el('img', { class: 'evidence-picture', alt, hidden: true });
  const frame = el('div', { class: 'evidence-frame' }, picture);
  const words = el('p', { class: 'hint', role: 'status' }, t('evidence.loading'));
  const node = el('figure', { class: 'evidence', testid: 'evidence' }, words, frame, found.length > 0 && legend(found));
  load();

  async function load() {
    const { pathname, search } = new URL(address, location.origin);
    try {
      const blob = await (await request(pathname + search)).blob();
      picture.src = URL.createObjectURL(blob);
      await picture.decode();
    } catch (problem) {
      words.textContent = problem.code ? explain(problem) : t('evidence.broken');
      return;
    } finally {
      URL.revokeObjectURL(picture.src);
    }
    picture.hidden = false;
    words.remove();
    frame.append(...found.map(({ box }, i) => drawn(box, i + 1, picture.naturalWidth, picture.naturalHeight)));
  }

  return node;
}

function drawn([left, top, right, bottom], number, width, height) {
  const node = el('span', { class: 'evidence-box', 'aria-hidden': 'true', 'data-number': number });
  const share = (part, whole) => `${(100 * part) / whole}%`;
  node.style.left = share(left, width);
  node.style.top = share(top, height);
  node.style.width = share(right - left, width);
  node.style.height = share(bottom - top, height);
  return node;
}

function legend(found) {
  return el('figcaption', {}, el('ol', { class: 'evidence-lines' }, found.map(({ line, label }) => el('li', {},
    el('q', {}, line), ' ', badge(categoryName(label), 'danger')))));
}

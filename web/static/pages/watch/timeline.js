/** The time line: a slider, over marks for where chapters begin and where something is missing. */
import { el } from '../../lib/dom.js';
import * as format from '../../lib/format.js';
import { t } from '../../lib/i18n.js';

export function timeline({ durationMs, chapters, gaps, seek }) {
  const done = el('span', { class: 'line-done' });
  const place = (node, fromMs, toMs = null) => {
    const part = (ms) => `${Math.min(100, Math.max(0, (100 * ms) / Math.max(1, durationMs)))}%`;
    node.style.left = part(fromMs);
    if (toMs !== null) node.style.width = part(toMs - fromMs);
    return node;
  };
  const marks = [
    ...gaps.map((gap) => place(el('span', { class: 'line-gap', testid: 'gap-mark' }), gap.from_ms, gap.to_ms)),
    ...chapters.slice(1).map(({ from_ms: from }) => place(el('span', { class: 'line-cut' }), from)),
  ];
  const input = el('input', { class: 'line-input', type: 'range', min: 0, max: Math.max(1, durationMs), step: 'any', value: 0,
    'aria-label': t('watch.position'), testid: 'position', on: { input: () => seek(Number(input.value)) } });
  const node = el('div', { class: 'line' }, el('div', { class: 'line-track', 'aria-hidden': 'true' }, done, marks), input);

  function show(atMs, chapter) {
    input.value = atMs;
    done.style.width = `${(100 * atMs) / Math.max(1, durationMs)}%`;
    const times = { at: format.elapsed(atMs), all: format.elapsed(durationMs) };
    const text = chapter === null ? t('watch.at', times) : t('watch.at_chapter', { ...times, n: chapter + 1 });
    if (input.getAttribute('aria-valuetext') !== text) input.setAttribute('aria-valuetext', text);
  }

  return { node, show };
}

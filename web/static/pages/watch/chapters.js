/** The chapters: a picture, a number and a time each; pressing one goes there. */
import { icon } from '../../components/icon.js';
import { el } from '../../lib/dom.js';
import * as format from '../../lib/format.js';
import { t } from '../../lib/i18n.js';

export function chapterList({ chapters, gaps, seek }) {
  const buttons = chapters.map((chapter, index) => entry(chapter, index, gaps, seek));
  const node = el('section', { class: 'watch-side panel', 'aria-labelledby': 'chapters' },
    el('h2', { id: 'chapters' }, t('watch.chapters')),
    buttons.length ? el('ol', { class: 'chapters', tabindex: '-1' }, buttons.map((button) => el('li', {}, button)))
      : el('p', { class: 'hint' }, t('watch.no_chapters')));
  let current = null;

  /** Marks the chapter at this time; its index, null where there are none. */
  function show(atMs) {
    const index = chapters.findIndex(({ to_ms: to }) => atMs < to);
    const now = chapters.length ? (index < 0 ? chapters.length - 1 : index) : null;
    if (now !== current) {
      buttons[current]?.removeAttribute('aria-current');
      buttons[now]?.setAttribute('aria-current', 'true');
      keepInView(buttons[now]);
      current = now;
    }
    return current;
  }

  return { node, show };
}

/** Scrolls the list only, never the page. */
function keepInView(button) {
  const list = button?.closest('ol');
  if (!list || list.scrollHeight <= list.clientHeight) return;
  const [outer, inner] = [list.getBoundingClientRect(), button.getBoundingClientRect()];
  if (inner.top < outer.top || inner.bottom > outer.bottom) list.scrollTop += inner.top - outer.top - 8;
}

function entry({ from_ms: from, to_ms: to, thumbnail }, index, gaps, seek) {
  const missing = gaps.filter((gap) => gap.from_ms < to && gap.to_ms > from).length;
  const picture = el('span', { class: 'chapter-picture', 'aria-hidden': 'true' });
  const none = () => picture.replaceChildren(icon('play'));
  if (thumbnail) picture.append(el('img', { src: thumbnail, alt: '', width: 128, height: 72, loading: 'lazy', on: { error: none } }));
  else none();
  return el('button', { class: 'chapter', type: 'button', testid: 'chapter', on: { click: () => seek(from) } }, picture,
    el('span', {}, el('span', { class: 'chapter-name' }, t('watch.chapter', { n: index + 1 }), el('span', { class: 'chapter-now' }, t('watch.now'))),
      el('span', { class: 'chapter-time' }, `${format.elapsed(from)} – ${format.elapsed(to)}`),
      missing > 0 && el('span', { class: 'chapter-gaps' }, t('recording.gaps', { n: missing }))));
}

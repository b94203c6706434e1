import { el } from '../lib/dom.js';
import { otherLanguage, t } from '../lib/i18n.js';

/** The head of every page: the mark, what this page is, its own status, the other language. */
export function topbar(title, ...status) {
  const other = otherLanguage();
  const heading = el('h1', { class: 'top-title' }, title);
  const language = el('a', { class: 'language', href: other.href, hreflang: other.lang, lang: other.lang }, other.name);
  const node = el('header', { class: 'top' },
    el('span', { class: 'brand' }, el('img', { src: '/static/logo.svg', alt: '', width: 28, height: 28 }),
      el('span', { class: 'brand-name' }, t('brand.name'))),
    heading, el('div', { class: 'top-status' }, status), language);

  function name(text) {
    heading.textContent = text;
    document.title = `${text} · ${t('brand.name')}`;
  }

  name(title);
  return { node, name, language };
}

/** The page's language: `?lang=zh|en`, else the browser's first of the two, else Chinese. */
import en from '../i18n/en.js';
import zh from '../i18n/zh.js';

const CATALOGUES = { zh: { ...zh }, en: { ...en } };

/** Texts that only some pages need: { zh, en }, before anything is drawn with them. */
export function add(more) {
  for (const [name, texts] of Object.entries(more)) Object.assign(CATALOGUES[name], texts);
}

function choose() {
  const asked = new URLSearchParams(location.search).get('lang');
  if (asked in CATALOGUES) return asked;
  for (const tag of navigator.languages ?? [navigator.language]) {
    const short = tag.slice(0, 2).toLowerCase();
    if (short in CATALOGUES) return short;
  }
  return 'zh';
}

export const lang = choose();
export const locale = lang === 'zh' ? 'zh-CN' : 'en-GB';
document.documentElement.lang = locale;

/** The text of `key` with `{name}` places filled from `values`. */
export function t(key, values = {}) {
  const text = CATALOGUES[lang][key] ?? key;
  return text.replace(/\{(\w+)\}/g, (place, name) => String(values[name] ?? place));
}

/** This page's address in the other language; the token stays in the session. */
export function otherLanguage() {
  const other = lang === 'zh' ? 'en' : 'zh';
  const address = new URL(location.href);
  address.searchParams.set('lang', other);
  return { lang: other, name: CATALOGUES[other]['lang.name'], href: address.pathname + address.search };
}

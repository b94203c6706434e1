/** Numbers, sizes and times as people read them in the page's language. */
import { lang, locale, t } from './i18n.js';

const counts = new Intl.NumberFormat(locale);
const ymd = { year: 'numeric', month: lang === 'zh' ? '2-digit' : 'short', day: '2-digit' };
const dates = new Intl.DateTimeFormat(locale, { ...ymd, hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
const days = new Intl.DateTimeFormat(locale, ymd);
const clocks = new Intl.DateTimeFormat(locale, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
const exact = new Intl.DateTimeFormat(locale, {
  hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23',
});

const lists = new Intl.ListFormat(locale, { type: 'conjunction' });

export const count = (n) => counts.format(n);
/** "a, b and c" */
export const list = (words) => lists.format(words);

/** Milliseconds as `m:ss` or `h:mm:ss`; the unknown is a dash. */
export function elapsed(ms) {
  if (ms === null || ms === undefined || !Number.isFinite(ms)) return '–';
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const two = (n) => String(n).padStart(2, '0');
  const h = Math.floor(seconds / 3600);
  const m = Math.floor(seconds / 60) % 60;
  return h ? `${h}:${two(m)}:${two(seconds % 60)}` : `${m}:${two(seconds % 60)}`;
}

/** Milliseconds as seconds with at most one digit after the point: 1500 → "1.5". */
export const seconds = (ms) => String(Math.round(ms / 100) / 10);

/** A share from 0 to 1 as "83%". */
export const percent = (share) => `${Math.round(share * 100)}%`;

/** Bytes in the decimal units that file managers show. */
export function size(bytes) {
  if (bytes === null || bytes === undefined) return '–';
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit && value < 100 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}

const asDate = (when) => (when === null || when === undefined ? null : new Date(when));

export const dateTime = (when) => (asDate(when) ? dates.format(asDate(when)) : '–');
export const day = (when) => (asDate(when) ? days.format(asDate(when)) : '–');
export const clock = (when) => (asDate(when) ? clocks.format(asDate(when)) : '–');
export const clockExact = (when) => (asDate(when) ? exact.format(asDate(when)) : '–');

/** A time from either carrier: integer milliseconds or an RFC 3339 text; null stays null. */
export function toMs(when) {
  if (when === null || when === undefined) return null;
  return typeof when === 'number' ? when : Date.parse(when);
}

/** "1.2 Mbit/s" from bits per second. */
export function rate(bps) {
  return bps >= 1e6
    ? t('format.mbit', { n: (bps / 1e6).toFixed(1) })
    : t('format.kbit', { n: String(Math.round(bps / 1000)) });
}

import { el } from '../lib/dom.js';
import * as format from '../lib/format.js';
import { t } from '../lib/i18n.js';
import { badge, stateBadge } from './badge.js';
import { button } from './button.js';
import { copyButton } from './copy.js';
import { tell } from './dialog.js';

/** Gaps as a number and, when there are some, what is missing where. */
function gaps({ gaps: list = [] }) {
  if (!list?.length) return t('recording.no_gaps');
  const details = list.map((gap) => el('li', {}, JSON.stringify(gap)));
  return button(t('recording.gaps', { n: list.length }), { kind: 'quiet', press: () => tell({ title: t('recording.gaps_title'), body: [el('ul', {}, details)] }) });
}

function hash({ sha256 }, name) {
  if (!sha256) return '–';
  return el('div', { class: 'hash-cell' }, el('span', { class: 'hash', title: sha256 }, `${sha256.slice(0, 8)}…${sha256.slice(-8)}`),
    copyButton(sha256, `SHA-256 ${name}`));
}

function kept({ locked, retain_until: until }) {
  return el('div', {}, format.day(until), ' ', locked && badge(t('recording.locked'), 'ok'));
}

const name = (row) => [row.title || row.lesson, row.reel > 1 && t('recording.part', { n: row.reel })].filter(Boolean).join(' · ');

/** The columns that every list of recordings shows; `actions(row)` adds its own buttons. */
export function recordingColumns(actions) {
  return [
    { text: t('recording.lesson'), value: name },
    { text: t('recording.started'), value: (row) => row.started_at ?? '', cell: (row) => format.dateTime(row.started_at), tight: true },
    { text: t('recording.state'), value: ({ state }) => state, cell: ({ state }) => stateBadge(state) },
    { text: t('recording.duration'), value: (row) => row.duration_ms ?? 0, cell: (row) => format.elapsed(row.duration_ms), numeric: true },
    { text: t('recording.size'), value: (row) => row.size ?? 0, cell: (row) => format.size(row.size), numeric: true },
    { text: 'SHA-256', value: ({ sha256 }) => sha256 ?? '', cell: (row) => hash(row, name(row)) },
    { text: t('recording.gaps_column'), value: (row) => row.gaps?.length ?? 0, cell: gaps },
    { text: t('recording.kept'), value: (row) => row.retain_until ?? '', cell: kept, tight: true },
    { text: t('table.actions'), value: () => '', plain: true, cell: (row) => el('div', { class: 'row' }, actions(row)) },
  ];
}

/** A fresh signed address of one recording, on this page's own origin. */
export async function freshAddress(row, read) {
  const items = await read();
  const now = items.find(({ id }) => id === row.id);
  if (!now?.url) return null;
  const address = new URL(now.url, location.href);
  return address.pathname + address.search;
}

/** After the class: what became of the recording, with the hash that anybody can check. */
import { stateBadge } from '../../components/badge.js';
import { button } from '../../components/button.js';
import { goTo } from '../../lib/session.js';
import { el } from '../../lib/dom.js';
import * as format from '../../lib/format.js';
import { t } from '../../lib/i18n.js';
import { explain } from '../../lib/problems.js';

const HEADS = {
  ended: ['teach.ended', 'teach.ended_text'], replaced: ['teach.replaced_title', 'teach.replaced'],
  denied: ['teach.denied', 'problem.token_invalid'], signed_out: ['teach.denied', 'problem.session_ended'], unknown: ['teach.denied', 'problem.unknown_lesson'],
};

/** What keeps a class from starting; the codes of `liveserver/core/gates.py`. */
const GATES = new Set(['class_archived', 'class_not_approved', 'class_too_large', 'instructors_missing', 'not_assigned']);

export function farewell(broadcast) {
  const node = el('div', { class: 'setup' });
  let drawn = '';

  function render() {
    const { phase, recordings } = broadcast;
    const key = JSON.stringify([phase, recordings]);
    if (phase === 'setup' || phase === 'live' || key === drawn) return;
    drawn = key;
    const [title, text] = HEADS[phase] ?? ['teach.refused', 'teach.refused_text'];
    const { problem } = broadcast.publisher.link.state;
    const words = phase === 'refused' && GATES.has(problem?.code) ? explain(problem) : t(text);
    const over = phase === 'ended';
    node.replaceChildren(el('h2', {}, t(title)), el('p', {}, words),
      ...(over ? recordingFacts(recordings) : [button(t('action.retry'), { press: () => location.reload() })]));
  }

  return { node, render };
}

function recordingFacts(recordings) {
  if (!recordings?.length) return [el('p', { role: 'status' }, t('teach.sealing'))];
  return recordings.flatMap((one) => [el('dl', { class: 'about' },
    el('dt', {}, t('recording.started')), el('dd', { class: 'figure' }, format.dateTime(one.started_at)),
    el('dt', {}, t('recording.state')), el('dd', {}, stateBadge(one.state)),
    el('dt', {}, t('recording.duration')), el('dd', { class: 'figure' }, format.elapsed(one.duration_ms)),
    el('dt', {}, t('recording.size')), el('dd', { class: 'figure' }, format.size(one.size)),
    el('dt', {}, 'SHA-256'), el('dd', { class: 'hash' }, one.sha256 ?? t('teach.sealing'))),
  one.state === 'sealed' && button(t('recording.watch'), { symbol: 'play', testid: 'watch-recording',
    press: () => goTo(`/watch/${encodeURIComponent(one.id)}`) })].filter(Boolean));
}

/** A person's identity number, masked, and the proof of it by two persons. */
import '../accounts-texts.js';
import { badge } from '../../../components/badge.js';
import { button } from '../../../components/button.js';
import { ask, tell } from '../../../components/dialog.js';
import { field, textInput } from '../../../components/field.js';
import { toast } from '../../../components/toast.js';
import { del, get, post, put } from '../../../lib/api.js';
import { el } from '../../../lib/dom.js';
import * as format from '../../../lib/format.js';
import { t } from '../../../lib/i18n.js';
import { say } from './problems.js';

const STATES = { unproven: ['identity.unproven', 'neutral'], second_look: ['identity.second_look', 'warn'], proven: ['identity.proven', 'ok'], revoked: ['identity.revoked', 'danger'] };
const SENTENCES = { bad_identity_number: 'identity.bad', same_person: 'identity.same_person', identity_refused: 'identity.refused' };
const excuse = (problem) => (problem?.code in SENTENCES ? t(SENTENCES[problem.code]) : say(problem));

/** Opens a dialog over one row of persons. */
export function identityDialog(person) {
  const path = `/persons/${encodeURIComponent(person.id)}/identity`;
  const body = el('div', { class: 'identity' });

  async function refresh() {
    const known = await get(path).catch((problem) => (problem.code === 'not_found' ? null : Promise.reject(problem)));
    body.replaceChildren(...(known ? facts(known) : [el('p', {}, t('identity.none'))]), el('div', { class: 'row' }, actions(known)));
  }

  function facts(known) {
    const [key, tone] = STATES[known.state];
    return [
      el('p', { class: 'row' }, el('span', { class: 'hash', testid: 'identity-number' }, known.number), badge(t(key), tone)),
      known.noted_by && el('p', { class: 'hint' }, t('identity.by', { first: known.noted_by, second: known.seconded_by ?? '–', when: format.dateTime(known.changed_at) })),
      known.same_number.length > 0 && el('p', { class: 'notice danger' }, t('identity.twice', { n: known.same_number.length })),
    ].filter(Boolean);
  }

  function actions(known) {
    const enter = button(t(known ? 'identity.other' : 'identity.enter'), { testid: 'enter-identity', press: enterNumber });
    if (!known) return [enter];
    const steps = {
      unproven: [button(t('identity.prove'), { kind: 'primary', press: prove })], revoked: [button(t('identity.prove'), { kind: 'primary', press: prove })],
      second_look: [button(t('identity.look'), { kind: 'primary', press: second }), button(t('identity.doubt'), { press: doubt })], proven: [button(t('identity.revoke'), { kind: 'danger', press: revoke })],
    };
    return [...steps[known.state], enter, button(t('identity.erase'), { kind: 'quiet', press: erase })];
  }

  /** Asks, does it, and draws anew; what `confirm` throws the dialog says. */
  async function step(title, fields, confirm) {
    await ask({ title, label: t('identity.save'), explain: excuse, body: fields, focus: fields[0].querySelector?.('input, textarea'), testid: 'confirm-identity', confirm });
    await refresh();
  }

  function enterNumber() {
    const number = textInput({ required: true, maxlength: 40, inputmode: 'text', testid: 'identity-input' });
    return step(t('identity.enter'), [field(t('identity.number'), number, t('identity.hint')).node], () => put(path, { number: number.value }));
  }

  function prove() {
    const note = textInput({ required: true, maxlength: 500 });
    return step(t('identity.prove'), [field(t('identity.note'), note, t('identity.note_hint')).node], () => post(`${path}/proof`, { method: 'manual', note: note.value }));
  }

  async function second() {
    const { note } = await get(`${path}/proof`);
    await step(t('identity.look'), [el('p', {}, t('identity.noted', { note })), el('p', {}, t('identity.look_text'))], () => post(`${path}/proof/second`, { confirmed: true }));
  }

  const doubt = () => step(t('identity.doubt'), [el('p', {}, t('identity.doubt_text'))], () => post(`${path}/proof/second`, { confirmed: false }));

  function revoke() {
    const reason = textInput({ required: true, maxlength: 500 });
    return step(t('identity.revoke'), [field(t('identity.reason'), reason).node], () => post(`${path}/proof/revocation`, { reason: reason.value }));
  }

  const erase = () => step(t('identity.erase'), [el('p', {}, t('identity.erase_text'))], async () => { await del(path); return true; });

  refresh().catch((problem) => { toast(excuse(problem), 'warn'); });
  return tell({ title: t('identity.of', { name: person.name }), body: [body] });
}

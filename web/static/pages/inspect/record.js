/** The proof for one record: that this entry stands in the ledger whose head is signed. Reckoned here. */
import './texts.js';
import { button } from '../../components/button.js';
import { field } from '../../components/field.js';
import { verdict } from '../../components/verdict.js';
import { get } from '../../lib/api.js';
import { encode, hex, unhex, written } from '../../lib/bundle/bytes.js';
import { followed, signedBy } from '../../lib/bundle/heads.js';
import { includes, leafHash } from '../../lib/bundle/merkle.js';
import { el } from '../../lib/dom.js';
import * as format from '../../lib/format.js';
import { t } from '../../lib/i18n.js';
import { explain } from '../../lib/problems.js';

const SHORT = 80;
const HASHED = ['at_ms', 'data', 'index', 'lesson', 'recorded_at_ms', 'type'];

export function recordCard() {
  const index = el('input', { class: 'input', type: 'number', min: 0, step: 1, required: true, testid: 'record-index' });
  const found = verdict('record-verdict');
  const form = el('form', { class: 'record-form', on: { submit: prove } }, field(t('inspect.record_index'), index, t('inspect.record_hint')).node,
    button(t('inspect.prove'), { type: 'submit', symbol: 'shield', testid: 'prove-record' }));
  const node = el('section', { class: 'panel card' }, el('h3', {}, t('inspect.record_title')), el('p', {}, t('inspect.record_text')), form, found.node);

  async function prove(event) {
    event.preventDefault();
    const at = Number(index.value);
    try {
      const [{ signed: head }, { items: keys }] = await Promise.all([get('/ledger/head'), get('/ledger/keys')]);
      if (!head || at >= head.size) {
        found.say('unsure', t('inspect.record_unsigned', { n: at }));
        return;
      }
      const [{ items: [entry] }, proof] = await Promise.all([
        get(`/ledger/entries?after=${at - 1}&limit=1`), get(`/ledger/proof?index=${at}&size=${head.size}`)]);
      say(entry, head, await holds(entry, at, proof, head, keys));
    } catch (problem) {
      found.say('unsure', explain(problem));
    }
  }

  function say(entry, head, isTrue) {
    const rows = [
      [t('inspect.record_what'), `${entry.type} · ${format.dateTime(entry.at)}`],
      [t('inspect.record_data'), data(written(entry.data))],
      [t('inspect.record_leaf'), entry.leaf],
      [t('ledger.root'), head.root],
    ];
    const values = { n: entry.index, size: format.count(head.size), time: format.dateTime(head.at_ms) };
    found.say(isTrue ? 'good' : 'bad', t(isTrue ? 'inspect.record_in' : 'inspect.record_not_in', values), rows);
  }

  return { node };
}

/** Short as it is, long behind its beginning. */
function data(text) {
  if (text.length <= SHORT) return el('code', {}, text);
  return el('details', {}, el('summary', {}, el('code', {}, `${text.slice(0, SHORT)}…`)), el('code', {}, text));
}

/** Hash of the entry, path to the root, signature of the head: all of it here. */
async function holds(entry, at, proof, head, keys) {
  const leaf = await leafHash(encode(written(Object.fromEntries(HASHED.map((name) => [name, entry[name]])))));
  const path = proof.path.map((node) => unhex(node));
  const known = await followed(head.log, keys);
  return entry.index === at && hex(leaf) === proof.leaf && !path.includes(null) && known !== null
    && await includes(at, head.size, leaf, path, unhex(head.root)) && signedBy(known, head);
}

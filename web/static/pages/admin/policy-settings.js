/** All of a policy but its rules: how much is looked at, and what happens when nobody can look. */
import { field, select, textInput } from '../../components/field.js';
import { el, uniqueId } from '../../lib/dom.js';
import { t } from '../../lib/i18n.js';

const MODES = [['off', 'policy.mode_off'], ['keyframes', 'policy.mode_keyframes'], ['watch', 'policy.mode_watch'], ['screened', 'policy.mode_screened']];
const BLIND = [['pass', 'policy.blind_pass'], ['slate', 'policy.blind_slate']];

/** { node, set(policy), get(policy?) }; `changed()` after each change by the person. */
export function policySettings(changed) {
  const on = { change: changed, input: changed };
  const mode = select(MODES.map(([value, key]) => [value, t(key)]), { on });
  const delay = textInput({ type: 'number', min: '1', max: '3', step: '0.1', inputmode: 'decimal', on });
  const after = textInput({ type: 'number', min: '1', max: '600', step: '1', inputmode: 'numeric', on });
  const blind = select(BLIND.map(([value, key]) => [value, t(key)]), { on });
  const mute = textInput({ type: 'number', min: '0', max: '100', step: '1', inputmode: 'numeric', on });
  const two = el('input', { type: 'checkbox', id: uniqueId('two'), on });
  const node = el('div', { class: 'settings' },
    field(t('policy.mode'), mode, t('policy.mode_hint')).node, field(t('policy.delay'), delay, t('policy.delay_hint')).node,
    field(t('policy.blind_after'), after, t('policy.blind_after_hint')).node, field(t('policy.when_blind'), blind, t('policy.when_blind_hint')).node,
    field(t('policy.mute_after'), mute, t('policy.mute_after_hint')).node,
    el('div', { class: 'field' }, el('span', { class: 'field-name' }, t('policy.restore')), el('label', { class: 'check', for: two.id }, two, t('policy.two_persons'))));

  function set(policy) {
    mode.value = policy.mode;
    delay.value = String(policy.delay_ms / 1000);
    after.value = String(policy.blind_after_ms / 1000);
    blind.value = policy.when_blind;
    mute.value = String(policy.mute_after);
    two.checked = policy.two_person_restore;
  }

  /** What stands on the page; of a policy, the same fields. */
  function get(policy = null) {
    if (policy) {
      const { mode: m, delay_ms: d, blind_after_ms: a, when_blind: w, two_person_restore: p, mute_after: u } = policy;
      return { mode: m, delay_ms: d, blind_after_ms: a, when_blind: w, two_person_restore: p, mute_after: u };
    }
    return { mode: mode.value, delay_ms: Math.round(Number(delay.value) * 1000), blind_after_ms: Math.round(Number(after.value) * 1000),
      when_blind: blind.value, two_person_restore: two.checked, mute_after: Number(mute.value) };
  }

  return { node, set, get };
}

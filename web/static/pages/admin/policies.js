/** Policies: what is looked at, from which score on what is done; each change is a new version. */
import { button } from '../../components/button.js';
import { ask } from '../../components/dialog.js';
import { field, fillSelect, select, textInput } from '../../components/field.js';
import { toast } from '../../components/toast.js';
import { get, put } from '../../lib/api.js';
import { el, setText } from '../../lib/dom.js';
import * as format from '../../lib/format.js';
import { t } from '../../lib/i18n.js';
import { explain } from '../../lib/problems.js';
import { classPolicies } from './class-policies.js';
import { policySettings } from './policy-settings.js';
import { ruleTable } from './rules.js';

const NAME = '[a-z0-9][a-z0-9_\\-]{0,63}';

export function policiesPanel() {
  const problem = el('p', { class: 'problem', role: 'alert' });
  const chosen = select([], { on: { change: () => load(chosen.value) } });
  const version = select([], { on: { change: () => load(chosen.value, Number(version.value)) } });
  const state = el('p', { class: 'hint', role: 'status' });
  const save = button(t('policy.save'), { kind: 'primary', symbol: 'ok', testid: 'policy-save', press: () => keep(chosen.value) });
  const copy = button(t('policy.save_as'), { symbol: 'copy', press: askName });
  const undo = button(t('policy.discard'), { symbol: 'restore', press: () => show(kept) });
  const settings = policySettings(changed);
  const rules = ruleTable(changed);
  const classes = classPolicies(() => names);
  const foot = el('div', { class: 'policy-foot panel' }, state, el('div', { class: 'row' }, save, copy, undo));
  const node = el('div', { class: 'policy' }, el('p', { class: 'hint' }, t('policy.text')), problem,
    el('div', { class: 'row' }, field(t('policy.choose'), chosen).node, field(t('policy.version'), version).node),
    settings.node, rules.node, foot, classes.node);
  let names = [];
  let kept = null;

  async function refresh() {
    await quietly(async () => {
      names = (await get('/policies')).items.filter(({ name }) => !name.startsWith('lesson-'));
      fillSelect(chosen, names.map(({ name }) => [name, name]));
      if (!kept) await load(chosen.value);
      await classes.refresh();
    });
  }

  async function load(name, wanted = null) {
    await quietly(async () => {
      const found = await get(`/policies/${encodeURIComponent(name)}${wanted ? `?version=${wanted}` : ''}`);
      fillSelect(version, found.versions.map((one) => [String(one.version), t('policy.version_at', { n: one.version, time: one.at ? format.dateTime(one.at) : t('policy.shipped') })]));
      version.value = String(found.version);
      show(found);
    });
  }

  function show(policy) {
    kept = policy;
    settings.set(policy);
    rules.set(policy.rules);
    changed();
  }

  function changed() {
    const now = JSON.stringify(edited());
    const differs = kept !== null && now !== JSON.stringify(edited(kept));
    const old = kept !== null && String(kept.version) !== version.options[0]?.value;
    save.disabled = !differs && !old;
    undo.disabled = !differs;
    foot.classList.toggle('changed', differs);
    setText(state, differs ? t('policy.changed') : old ? t('policy.old') : t('policy.unchanged'));
  }

  /** What is on the page, or what a policy says, in one shape. */
  function edited(policy = null) {
    return { ...settings.get(policy), rules: rules.get(policy?.rules) };
  }

  async function keep(name) {
    await quietly(async () => {
      const made = await put(`/policies/${encodeURIComponent(name)}`, edited());
      toast(t('policy.saved', { name: made.name, n: made.version }));
      names = (await get('/policies')).items.filter((one) => !one.name.startsWith('lesson-'));
      fillSelect(chosen, names.map((one) => [one.name, one.name]));
      chosen.value = made.name;
      await load(made.name);
    });
  }

  async function askName() {
    const name = textInput({ required: true, pattern: NAME, maxlength: 64 });
    const made = await ask({ title: t('policy.save_as'), label: t('policy.save'), explain, focus: name,
      body: [field(t('policy.name'), name, t('policy.name_hint')).node], confirm: () => Promise.resolve(name.value) });
    if (made) await keep(made);
  }

  async function quietly(work) {
    try {
      await work();
      setText(problem, '');
    } catch (caught) {
      setText(problem, caught.status === 400 ? t('policy.refused', { detail: caught.detail }) : explain(caught));
    }
  }

  return { node, refresh };
}

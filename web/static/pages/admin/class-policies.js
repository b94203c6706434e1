/** By which policy each class is screened, and how to put it under another one, at once. */
import { button } from '../../components/button.js';
import { field, fillSelect, select } from '../../components/field.js';
import { toast } from '../../components/toast.js';
import { get, put } from '../../lib/api.js';
import { el, setText } from '../../lib/dom.js';
import { t } from '../../lib/i18n.js';
import { explain } from '../../lib/problems.js';

const STATES = ['live', 'paused', 'cut', 'waiting'];
const MODES = { off: 'policy.mode_off', keyframes: 'policy.mode_keyframes', watch: 'policy.mode_watch', screened: 'policy.mode_screened' };

/** `names()`: the policies there are. */
export function classPolicies(names) {
  const lesson = select([], { on: { change: read } });
  const policy = select([]);
  const now = el('p', { class: 'hint', role: 'status' });
  const give = button(t('policy.give'), { symbol: 'ok', press: apply });
  const node = el('section', { class: 'panel card' }, el('h3', {}, t('policy.of_class')), el('p', { class: 'hint' }, t('policy.of_class_text')),
    field(t('policy.class'), lesson).node, now, field(t('policy.choose'), policy).node, give);
  const path = () => `/lessons/${encodeURIComponent(lesson.value)}/policy`;

  async function refresh() {
    const lists = await Promise.all(STATES.map((state) => get(`/lessons?limit=200&state=${state}`)));
    const items = lists.flatMap((list) => list.items);
    fillSelect(lesson, items.map(({ id, title }) => [id, title || id]));
    fillSelect(policy, names().map(({ name, version }) => [name, t('policy.named', { name, n: version })]));
    give.disabled = items.length === 0;
    if (items.length) await read();
    else setText(now, t('policy.no_class'));
  }

  async function read() {
    try {
      say(await get(path()));
    } catch (caught) {
      setText(now, explain(caught));
    }
  }

  function say({ name, version, mode }) {
    setText(now, t('policy.now', { name, n: version, mode: t(MODES[mode] ?? 'policy.mode_watch') }));
    policy.value = name;
  }

  async function apply() {
    try {
      say(await put(path(), { name: policy.value }));
      toast(t('policy.given', { title: lesson.selectedOptions[0]?.textContent ?? '', name: policy.value }));
    } catch (caught) {
      toast(explain(caught), 'warn');
    }
  }

  return { node, refresh };
}

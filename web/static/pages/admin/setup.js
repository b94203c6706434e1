/** The first administrator of a new installation, once, by the link that the server printed. */
import { button } from '../../components/button.js';
import { field, textInput } from '../../components/field.js';
import { post } from '../../lib/api.js';
import { el } from '../../lib/dom.js';
import { t } from '../../lib/i18n.js';
import { explain } from '../../lib/problems.js';
import { becomeAdministrator, setupToken } from '../../lib/session.js';

export function setupForm(done) {
  const name = textInput({ required: true, maxlength: 64, autocomplete: 'name' });
  const problem = el('p', { class: 'problem', role: 'alert' });
  const save = button(t('setup.confirm'), { kind: 'primary', type: 'submit' });

  async function submit(event) {
    event.preventDefault();
    save.disabled = true;
    try {
      const { token } = await post('/setup', { token: setupToken(), name: name.value.trim() });
      becomeAdministrator(token);
      done();
    } catch (caught) {
      problem.textContent = explain(caught);
    } finally {
      save.disabled = false;
    }
  }

  return el('form', { class: 'panel card', on: { submit } }, el('h2', {}, t('setup.title')), el('p', {}, t('setup.text')),
    field(t('setup.name'), name, t('setup.name_hint')).node, problem, save);
}

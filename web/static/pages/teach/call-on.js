/** A button for each learner in the list: the instructor calls on one, whose picture and sound then come by WebRTC. */
import { button, relabel } from '../../components/button.js';
import { t } from '../../lib/i18n.js';

export function callOn(socket) {
  let called = new Set();
  // The room remembers, whatever becomes of this page.
  socket.on('roster', ({ called_on: people = [] }) => { called = new Set(people); });
  return ({ person }) => {
    const words = () => t(called.has(person) ? 'roster.call_end' : 'roster.call');
    const made = button(words(), { kind: 'quiet', testid: 'call-on', 'aria-pressed': String(called.has(person)), press: toggle });
    function toggle() {
      const on = !called.has(person);
      if (!socket.send({ type: 'call_on', person, on })) return;
      if (on) called.add(person);
      else called.delete(person);
      made.setAttribute('aria-pressed', String(on));
      relabel(made, words());
    }
    return made;
  };
}

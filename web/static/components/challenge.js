/** The sheet of a random check: rises over the lower half, stays until it is answered or its result was read. */
import './check-texts.js';
import { el, setText, uniqueId } from '../lib/dom.js';
import { t } from '../lib/i18n.js';
import { button } from './button.js';
import { faceForm } from './face-check.js';
import { icon } from './icon.js';
import { questionForm } from './question.js';
import { ring } from './ring.js';
import { toast } from './toast.js';

const TICK_MS = 250;
const PASSED_MS = 2500;
const SOON_S = 10;
const BUZZ_MS = 300;
const LATER = { passed: 'check.later_passed', excused: 'check.later_excused', failed: 'check.later_failed', timeout: 'check.later_failed' };
const LOST = { failed: 'check.failed', timeout: 'check.missed', late: 'check.late' };

/**
 * `checks` is the model (pages/learn/checks.js), `hours` a way to see what counts: { shown(), open() }.
 * The sheet lives in the page from the first check on.
 */
export function challengeSheet(checks, { hours }) {
  const heading = el('h2', { id: uniqueId('check'), tabindex: '-1' }, t('check.label'));
  const left = ring((n) => t('check.seconds', { n }));
  const attempts = el('p', { class: 'hint' });
  const said = el('p', { class: 'check-said', role: 'status', 'aria-live': 'polite' });
  const body = el('div', { class: 'check-body' });
  const node = el('section', { class: 'sheet', role: 'dialog', 'aria-labelledby': heading.id, testid: 'challenge', hidden: true },
    el('div', { class: 'sheet-head' }, el('div', {}, heading, attempts), left.node), said, body);
  let shown = '';
  let form = null;
  let buzzed = '';
  let back = null;
  let ticking = 0;
  let closing = 0;

  function render() {
    const { check, phase } = checks;
    clearTimeout(closing);
    if (phase === 'none') {
      lower();
      return;
    }
    const asks = phase === 'asked' || phase === 'sending';
    const key = asks ? `${check.id} ${check.kind}` : `${check.id} ${phase}`;
    if (key !== shown) {
      const held = shown !== '' && focused();
      shown = key;
      form?.stop?.();
      form = asks ? ask(check) : null;
      body.replaceChildren(form ? form.node : outcome(phase));
      raise(check);
      if (held) heading.focus();
    }
    form?.enable(checks.open);
    node.setAttribute('aria-busy', String(phase === 'sending' || phase === 'judging'));
    left.node.hidden = !asks;
    setText(attempts, asks ? t('check.attempts', { n: check.attempts_left }) : '');
    setText(said, words(phase));
    if (phase === 'passed') closing = setTimeout(() => checks.close(), PASSED_MS);
    tick();
  }

  function ask({ question, turn }) {
    if (!question) return faceForm(checks, turn);
    return questionForm(question, { send: (choice) => checks.answer(choice), missing: (key) => checks.say(key) });
  }

  function words(phase) {
    if (phase === 'sending') return t('check.sending');
    if (phase === 'judging') return t('check.judging');
    if (!checks.said) return '';
    const [key, values] = checks.said;
    return 'n' in values ? `${t(key)} ${t('check.again', values)}` : t(key, values);
  }

  function outcome(phase) {
    const close = button(t('action.close'), { press: () => checks.close(), testid: 'challenge-close' });
    if (phase === 'passed') return el('p', { class: 'check-passed', testid: 'challenge-passed' }, icon('ok'), t('check.passed'));
    if (phase === 'excused') return el('div', { class: 'check-outcome' }, el('p', {}, t('check.excused')), close);
    if (phase === 'judging') return '';
    if (phase === 'review') return el('div', { class: 'check-outcome' }, el('h3', {}, t('check.review')), el('p', {}, t('check.review_text')), close);
    const unheard = phase === 'unheard';
    return el('div', { class: 'check-outcome', testid: 'challenge-missed' },
      el('h3', { class: 'check-lost' }, icon('warn'), t(LOST[phase] ?? 'check.unheard')),
      el('p', {}, unheard ? t('check.unheard_text') : t('check.cost')), el('p', { class: 'hint' }, t('check.object')),
      el('div', { class: 'row' }, hours.shown() && button(t('check.see_hours'), { symbol: 'clock', press: hours.open }), close));
  }

  /** Whether the focus is here, or nowhere because what had it went away. */
  const focused = () => node.contains(document.activeElement) || document.activeElement === document.body;

  function raise(check) {
    if (node.hidden) {
      back = document.activeElement;
      // A full screen would hide it, an open dialog would make it deaf.
      if (document.fullscreenElement) document.exitFullscreen().catch(() => null);
      const dialog = document.querySelector('dialog[open]');
      (dialog ?? document.body).append(node);
      dialog?.addEventListener('close', () => document.body.append(node), { once: true });
      node.hidden = false;
      document.documentElement.classList.add('with-sheet');
      heading.focus({ preventScroll: true });
      ticking = setInterval(tick, TICK_MS);
    }
    if (buzzed !== check.id) navigator.vibrate?.(BUZZ_MS);
    buzzed = check.id;
  }

  function lower() {
    if (node.hidden) return;
    const held = focused();
    clearInterval(ticking);
    form?.stop?.();
    form = null;
    shown = '';
    node.hidden = true;
    document.documentElement.classList.remove('with-sheet');
    if (held) (back?.isConnected ? back : document.querySelector('main')).focus({ preventScroll: true });
  }

  function tick() {
    if (checks.phase !== 'asked' && checks.phase !== 'sending') return;
    const seconds = left.set(checks.leftMs, checks.wholeMs);
    if (seconds === 0) {
      form?.enable(false);
      setText(said, t('check.over'));
    } else if (seconds === SOON_S && !said.textContent) setText(said, t('check.soon'));
    checks.tick();
  }

  checks.on('change', render);
  checks.on('later', (result) => toast(t(LATER[result]), result === 'failed' || result === 'timeout' ? 'warn' : undefined));
  render();
}

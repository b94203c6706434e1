/** What screening saw of this class: the newest over the stage in amber, all of them in a list, each open to objection. */
import { askAppeal } from '../../components/appeal.js';
import { badge } from '../../components/badge.js';
import { button } from '../../components/button.js';
import { kindName, subject } from '../../components/category.js';
import { el } from '../../lib/dom.js';
import * as format from '../../lib/format.js';
import { t } from '../../lib/i18n.js';

/** Over the stage stands the gravest alone; the others are in the list. */
const AT_ONCE = 1;
const GRAVITY = ['warn', 'blank', 'pause', 'cut'];
const FOLLOWS = { warn: 'finding.warn', blank: 'finding.blank', pause: 'finding.pause', cut: 'finding.cut' };
const FOLLOWS_BLIND = { warn: 'finding.blind_goes_on', blank: 'finding.blind_held' };
const STATES = { open: ['incident.open', 'warn'], confirmed: ['incident.confirmed', 'danger'], dismissed: ['incident.dismissed', 'ok'] };

/** What learners write is not the instructor's doing, and what was only noted is nobody's concern. */
const concerns = ({ kind, action }) => kind !== 'chat' && action in FOLLOWS;

/** `news`: the lesson's ScreeningNews; `notes`: the page's notices; `count(n)` hears how many are open. */
export function findings(news, notes, count) {
  const list = el('ol', { class: 'findings', 'aria-label': t('finding.title') });
  const none = el('p', { class: 'hint' }, t('finding.none'));
  const node = el('div', { class: 'findings-box' }, none, list);
  const understood = new Set();
  const noted = new Set();
  let drawn = '';

  function render() {
    const all = [...news.incidents.values()].filter(concerns).sort((a, b) => b.at_ms - a.at_ms);
    // That nobody could look is on record; while it lasts, the page says what it means.
    const open = all.filter(({ kind, state }) => state !== 'dismissed' && kind !== 'blind');
    note(open.filter(({ id }) => !understood.has(id)).sort((a, b) => GRAVITY.indexOf(b.action) - GRAVITY.indexOf(a.action)));
    count(open.length);
    const key = JSON.stringify(all);
    if (key === drawn) return;
    drawn = key;
    none.hidden = all.length > 0;
    list.replaceChildren(...all.map(row));
  }

  function note(open) {
    const shown = new Map(open.slice(0, AT_ONCE).map((one) => [one.id, one]));
    for (const id of [...noted]) {
      if (shown.has(id)) continue;
      notes.set(`finding-${id}`, null);
      noted.delete(id);
    }
    for (const [id, one] of shown) {
      notes.set(`finding-${id}`, `${seen(one)} ${follows(one)}`, { testid: 'finding', action: actions(one) });
      noted.add(id);
    }
    notes.set('findings', open.length > AT_ONCE ? t('finding.more', { n: format.count(open.length - AT_ONCE) }) : null);
  }

  function actions(one) {
    return el('span', { class: 'row' }, !one.appealed && objectButton(one),
      button(t('finding.understood'), { press: () => {
        understood.add(one.id);
        render();
      } }));
  }

  function row(one) {
    const [key, tone] = STATES[one.state] ?? STATES.open;
    return el('li', {}, el('p', { class: 'line-head' }, el('time', {}, format.clockExact(one.at_ms)), badge(t(key), tone),
      one.appealed && badge(t('incident.appealed'), 'warn')),
    el('p', {}, seen(one)), one.state !== 'dismissed' && el('p', { class: 'hint' }, follows(one)),
    !one.appealed && one.state !== 'dismissed' && one.kind !== 'blind' && objectButton(one));
  }

  const objectButton = ({ id }) => button(t('appeal.open'), { kind: 'quiet', symbol: 'hand', testid: 'object', press: () => askAppeal(id) });

  news.on('change', render);
  return { node };
}

const follows = ({ kind, action }) => t(kind === 'blind' ? FOLLOWS_BLIND[action] ?? 'finding.blind_goes_on' : FOLLOWS[action]);

function seen(one) {
  if (one.kind === 'blind') return t('finding.blind', { time: format.clockExact(one.at_ms) });
  return t('finding.seen', { category: subject(one), kind: kindName(one.kind), time: format.clockExact(one.at_ms) });
}

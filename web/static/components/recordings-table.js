/** All recordings: what state they are in, how long they are kept, watch and save. */
import { button } from './button.js';
import { freshAddress, recordingColumns } from './recordings.js';
import { table } from './table.js';
import { toast } from './toast.js';
import { getAll } from '../lib/api.js';
import { el, setText } from '../lib/dom.js';
import { t } from '../lib/i18n.js';
import { explain } from '../lib/problems.js';
import { goTo } from '../lib/session.js';

const PATH = '/recordings?limit=200';

/** Also the inspector's list, which adds a button of its own to each row. */
export function recordingsSection({ more = () => [], loaded = null } = {}) {
  const problem = el('p', { class: 'problem', role: 'alert' });
  const list = table({ caption: t('admin.recordings'), empty: t('recording.empty'), file: 'recordings', columns: recordingColumns(actions) });
  const node = el('section', {}, el('div', { class: 'section-head' }, el('h2', {}, t('admin.recordings')),
    button(t('action.refresh'), { symbol: 'restore', press: () => refresh() })), problem, list.node);

  async function read() {
    const items = await getAll(PATH);
    list.set(items);
    loaded?.(items);
    return items;
  }

  async function refresh() {
    try {
      await read();
      setText(problem, '');
    } catch (caught) {
      setText(problem, explain(caught));
    }
  }

  function actions(row) {
    const name = row.title || row.lesson;
    const waiting = row.state !== 'sealed';
    return [
      button(t('recording.watch'), { kind: 'quiet', symbol: 'play', disabled: waiting, 'aria-label': t('recording.watch_of', { name }),
        testid: 'watch-recording', press: () => goTo(`/watch/${encodeURIComponent(row.id)}`) }),
      button(t('recording.save'), { kind: 'quiet', symbol: 'download', disabled: waiting, 'aria-label': t('recording.save_of', { name }),
        press: () => withAddress(row, (href) => el('a', { href, download: `${row.id}.mp4` }).click()) }),
      ...more(row),
    ];
  }

  async function withAddress(row, use) {
    try {
      const address = await freshAddress(row, read);
      if (address) await use(address);
      else toast(t('recording.no_address'), 'warn');
    } catch (caught) {
      toast(explain(caught), 'warn');
    }
  }

  return { node, refresh };
}

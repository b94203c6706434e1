/** A lesson opened in one click: what is going on as it is seen, what is over as it was recorded; and its bundle. */
import './texts.js';
import { button } from '../../components/button.js';
import { tell } from '../../components/dialog.js';
import { saveBundle } from '../../components/save-bundle.js';
import { toast } from '../../components/toast.js';
import { getAll } from '../../lib/api.js';
import { t } from '../../lib/i18n.js';
import { explain } from '../../lib/problems.js';
import { goTo } from '../../lib/session.js';

const LIVE = ['live', 'paused'];

/** The two buttons of a lesson. */
export function lessonButtons(lesson) {
  const name = lesson.title || lesson.id;
  const action = t(LIVE.includes(lesson.state) ? 'inspect.watch_live' : 'inspect.watch');
  return [
    button(action, { kind: 'quiet', symbol: 'play', testid: 'open-lesson', disabled: !lesson.started_at,
      'aria-label': t('inspect.watch_of', { action, name }), press: () => attempt(() => open(lesson)) }),
    button(t('inspect.bundle'), { kind: 'quiet', symbol: 'download', testid: 'save-bundle', 'aria-label': t('inspect.bundle_of', { name }),
      press: () => attempt(() => saveBundle(`/lessons/${encodeURIComponent(lesson.id)}/evidence`, lesson.id)) }),
  ];
}

async function attempt(work) {
  try {
    await work();
  } catch (problem) {
    toast(explain(problem), 'warn');
  }
}

async function open(lesson) {
  if (LIVE.includes(lesson.state)) {
    const { liveStage } = await import('./live.js');
    const live = liveStage(lesson);
    await tell({ title: lesson.title || lesson.id, wide: true, body: [live.node] });
    live.close();
    return;
  }
  const recordings = await getAll(`/lessons/${encodeURIComponent(lesson.id)}/recordings`);
  const sealed = recordings.find(({ state }) => state === 'sealed');
  if (sealed) goTo(`/watch/${encodeURIComponent(sealed.id)}`);
  else toast(t('inspect.no_recording'), 'warn');
}

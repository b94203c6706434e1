/** After the class: asks what became of its recordings until each is sealed or has failed. */
import { get } from '../../lib/api.js';

const POLL_MS = 1500;
/** Five minutes: a long VP8 class is transcoded first, and the administrator's page shows it later. */
const MOST_POLLS = 200;

export async function followRecordings(lesson, tell) {
  for (let polls = 0; polls < MOST_POLLS; polls += 1) {
    try {
      const { items } = await get(`/lessons/${encodeURIComponent(lesson)}/recordings`);
      tell(items);
      if (items.length && items.every(({ state }) => state === 'sealed' || state === 'failed')) return;
    } catch {
      // The next round asks again; the page says "being sealed" until then.
    }
    await new Promise((resolve) => { setTimeout(resolve, POLL_MS); });
  }
}

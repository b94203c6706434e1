/** The own sending quality in words, and in figures for who wants them. */
import { el, setText } from '../../lib/dom.js';
import * as format from '../../lib/format.js';
import { t } from '../../lib/i18n.js';
import { UploadMeter } from '../../lib/quality.js';

const SAMPLE_MS = 2000;
const WORDS = { good: 'upload.good', fair: 'upload.fair', poor: 'upload.poor' };

export function uploadWords(broadcast) {
  const node = el('span', { class: 'upload', hidden: true });
  const meter = new UploadMeter();
  setInterval(async () => {
    const { pc, link } = broadcast.publisher;
    node.hidden = broadcast.phase !== 'live';
    if (node.hidden || !pc || link.state.name !== 'open') {
      setText(node, t('upload.none'));
      return;
    }
    const { bps, rtt_ms: rtt, loss, verdict } = await meter.sample(pc);
    const figures = bps === null ? '' : ` · ${format.rate(bps)}`;
    setText(node, t(WORDS[verdict]) + figures);
    node.dataset.verdict = verdict;
    node.title = t('upload.figures', { ms: rtt ?? '–', loss: (loss * 100).toFixed(1) });
  }, SAMPLE_MS);
  return { node };
}

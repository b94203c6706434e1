/** Before the class: which devices, whether they work, whether the line carries it, what is recorded. */
import { button, relabel } from '../../components/button.js';
import { field, select } from '../../components/field.js';
import { el, setText } from '../../lib/dom.js';
import * as format from '../../lib/format.js';
import { t } from '../../lib/i18n.js';
import { checkNetwork } from '../../lib/netcheck.js';
import { playTestTone } from '../../lib/sound.js';
import { levelMeter } from './level.js';

const MICROPHONE = {
  refused: 'device.microphone_refused', missing: 'device.microphone_missing', busy: 'device.microphone_busy',
  insecure: 'device.insecure_hint', unplugged: 'device.microphone_unplugged', off: 'device.microphone_off',
};
const VERDICTS = { '720p': 'net.720p', '480p': 'net.480p', audio: 'net.audio', unknown: 'net.unknown' };

export function setupCard(broadcast) {
  const { devices, socket } = broadcast;
  const camera = picker('camera', t('device.camera'));
  const microphone = picker('microphone', t('device.microphone'));
  const level = levelMeter(devices);
  const micProblem = el('p', { class: 'hint warn-text', role: 'status' });
  const heard = el('p', { class: 'hint', role: 'status' });
  const network = el('p', { class: 'hint', role: 'status' }, t('net.checking'));
  const live = button(t('teach.go_live'), { kind: 'primary', symbol: 'live', testid: 'go-live', press: () => broadcast.goLive() });
  live.classList.add('large');
  const without = el('p', { class: 'hint', role: 'status' });
  const node = el('div', { class: 'setup' },
    el('h2', {}, t('teach.check')),
    camera.node, microphone.node, micProblem, level.node,
    el('div', { class: 'row' }, button(t('teach.speaker'), { symbol: 'sound', press: () => { playTestTone(); setText(heard, t('teach.speaker_hint')); } }),
      button(t('net.again'), { symbol: 'restore', press: check })),
    heard, network,
    el('div', { class: 'reminder' }, el('h3', {}, t('teach.reminder')), el('p', {}, t('teach.reminder_text'))),
    live, without);

  socket.on('joined', () => { if (!network.dataset.done) check(); });

  async function check() {
    network.dataset.done = 'yes';
    setText(network, t('net.checking'));
    const result = await checkNetwork(socket);
    const figures = result.up_bps === null ? ''
      : ` ${t('net.figures', { rate: format.rate(Math.min(result.up_bps, 100e6)), ms: Math.round(result.rtt_ms) })}`;
    setText(network, t(VERDICTS[result.verdict]) + figures);
  }

  function picker(name, label) {
    const input = select([], { on: { change: () => broadcast.choose(name, input.value || null) } });
    return { ...field(label, input), name };
  }

  function fill({ input, name }) {
    const options = devices.listed[name].map(({ deviceId, label }, i) => [deviceId, label || t('device.numbered', { n: i + 1 })]);
    if (!options.length) options.push(['', t('device.none')]);
    const key = JSON.stringify(options);
    if (input.dataset.options !== key) {
      input.dataset.options = key;
      input.replaceChildren(...options.map(([value, text]) => el('option', { value }, text)));
    }
    input.disabled = !devices.listed[name].length;
    const now = devices.tracks[name]?.getSettings().deviceId;
    if (now && options.some(([value]) => value === now)) input.value = now;
  }

  function render() {
    if (broadcast.phase !== 'setup') {
      level.stop();
      return;
    }
    fill(camera);
    fill(microphone);
    level.follow();
    const problem = devices.problems.microphone;
    setText(micProblem, problem ? t(MICROPHONE[problem]) : '');
    relabel(live, broadcast.lesson.state === 'live' ? t('teach.go_live_again') : t('teach.go_live'));
    live.disabled = broadcast.lesson.state === 'cut';
    setText(without, missing(devices));
  }

  return { node, render };
}

function missing({ tracks, problems }) {
  if (problems.camera && problems.microphone) return t('teach.without_both');
  if (problems.camera && !tracks.camera) return t('teach.without_camera');
  return problems.microphone ? t('teach.without_microphone') : '';
}

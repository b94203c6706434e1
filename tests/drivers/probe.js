// Runs before the page's own scripts, in every browser the tests drive. It touches no network:
// it keeps each RTCPeerConnection, notes when pictures first appeared, and can be the camera.
//
// The time code is loadtest/pattern.py's: 10 x 4 cells on the upper half of the picture, 32 bits of
// milliseconds and a check byte.
(() => {
  if (window.watch) return;
  const watch = { connections: [], troubles: [], shown: [] };
  window.watch = watch;
  addEventListener('error', (event) => watch.troubles.push(String(event.message)));
  addEventListener('unhandledrejection', (event) => watch.troubles.push(String(event.reason)));

  if (window.RTCPeerConnection) {
    window.RTCPeerConnection = class extends window.RTCPeerConnection {
      constructor(...options) {
        super(...options);
        watch.connections.push(this);
      }
    };
  }

  const pause = (ms) => new Promise((done) => setTimeout(done, ms));

  watch.stats = async (type) => {
    const found = [];
    for (const connection of watch.connections) {
      if (connection.connectionState === 'closed') continue;
      (await connection.getStats()).forEach((entry) => {
        if (!type || entry.type === type) found.push({ ...entry });
      });
    }
    return found;
  };
  // The codec in use per direction, as in ["video/H264"].
  watch.codecs = async (direction, kind) => {
    const all = await watch.stats();
    return all
      .filter((entry) => entry.type === direction && entry.kind === kind && entry.codecId)
      .map((entry) => all.find((codec) => codec.id === entry.codecId)?.mimeType);
  };

  // --- when pictures appeared: milliseconds since the page was asked for, first 400 frames per element
  const observed = new WeakSet();
  const observe = (video) => {
    if (observed.has(video) || !video.requestVideoFrameCallback) return;
    observed.add(video);
    const record = { testid: video.dataset.testid ?? '', at_ms: [] };
    watch.shown.push(record);
    const note = () => {
      record.at_ms.push(Math.round(performance.now()));
      if (record.at_ms.length < 400) video.requestVideoFrameCallback(note);
    };
    video.requestVideoFrameCallback(note);
  };
  new MutationObserver(() => document.querySelectorAll('video').forEach(observe)).observe(document, {
    childList: true,
    subtree: true,
  });

  // --- is it moving?
  const canvas = document.createElement('canvas');
  const pen = canvas.getContext('2d', { willReadFrequently: true });
  const pixels = (video, width, height) => {
    canvas.width = width;
    canvas.height = height;
    pen.drawImage(video, 0, 0, width, height);
    return pen.getImageData(0, 0, width, height).data;
  };
  const visible = (video) => {
    for (let node = video; node instanceof Element; node = node.parentElement) {
      const style = getComputedStyle(node);
      if (style.display === 'none' || style.visibility === 'hidden' || style.opacity === '0') return false;
    }
    return true;
  };
  // Green samples of `count` pictures `gap_ms` apart. `changed` counts neighbours that differ, `contrast` is
  // the widest range of levels within one picture: a black or flat picture has next to none.
  watch.picture = async (selector, count = 4, gap_ms = 120) => {
    const video = document.querySelector(selector);
    if (!video) return { changed: 0, contrast: 0, why: `no element ${selector}` };
    let before = null;
    let changed = 0;
    let contrast = 0;
    for (let i = 0; i < count; i++) {
      if (i) await pause(gap_ms);
      if (!video.videoWidth || video.readyState < 2) continue;
      const data = pixels(video, 48, 27);
      let low = 255;
      let high = 0;
      let moved = 0;
      for (let at = 1; at < data.length; at += 4) {
        low = Math.min(low, data[at]);
        high = Math.max(high, data[at]);
        if (before) moved += Math.abs(data[at] - before[at]);
      }
      contrast = Math.max(contrast, high - low);
      if (before && moved / (data.length / 4) > 0.4) changed += 1;
      before = data;
    }
    return {
      changed,
      contrast,
      width: video.videoWidth,
      height: video.videoHeight,
      paused: video.paused,
      muted: video.muted,
      visible: visible(video),
      ready: video.readyState,
    };
  };

  // --- the time code
  const COLUMNS = 10;
  const ROWS = 4;
  const check = (value) =>
    ((value >>> 24) + 3 * ((value >>> 16) & 255) + 5 * ((value >>> 8) & 255) + 7 * (value & 255) + 11) & 255;
  const write = (context, width, height, now) => {
    const value = now % 2 ** 32;
    for (let cell = 0; cell < 40; cell++) {
      const bit = cell < 32 ? Math.floor(value / 2 ** (31 - cell)) & 1 : (check(value) >> (39 - cell)) & 1;
      context.fillStyle = bit ? '#fff' : '#000';
      const x = cell % COLUMNS;
      const y = Math.floor(cell / COLUMNS);
      context.fillRect(
        Math.floor((x * width) / COLUMNS), Math.floor((y * height) / (2 * ROWS)),
        Math.ceil(width / COLUMNS), Math.ceil(height / (2 * ROWS)),
      );
    }
  };
  watch.stamp = (video) => {
    const side = 8;
    const width = COLUMNS * side;
    const data = pixels(video, width, 2 * ROWS * side);
    let value = 0;
    let code = 0;
    for (let cell = 0; cell < 40; cell++) {
      const x = (cell % COLUMNS) * side + side / 2;
      const y = Math.floor(cell / COLUMNS) * side + side / 2;
      let level = 0;
      for (const [dx, dy] of [[0, 0], [-1, 0], [0, -1], [-1, -1]]) level += data[4 * ((y + dy) * width + x + dx) + 1] / 4;
      if (Math.abs(level - 128) < 25) return null;
      const bit = level > 128 ? 1 : 0;
      if (cell < 32) value = value * 2 + bit;
      else code = code * 2 + bit;
    }
    return check(value) === code ? value : null;
  };
  // Ages in ms of the next `count` pictures that carry a time code, at most for `limit_ms`.
  watch.ages = (selector, count = 50, limit_ms = 10000) =>
    new Promise((done) => {
      const video = document.querySelector(selector);
      const ages = [];
      const finish = () => done(ages);
      setTimeout(finish, limit_ms);
      const look = () => {
        const stamp = watch.stamp(video);
        if (stamp !== null) ages.push(((Date.now() - stamp + 2 ** 31) % 2 ** 32) - 2 ** 31);
        if (ages.length >= count) finish();
        else video.requestVideoFrameCallback(look);
      };
      if (video) video.requestVideoFrameCallback(look);
      else finish();
    });

  // --- what is heard: energy decoded from the network over `ms`, as a root mean square of 0..1
  watch.loudness = async (ms = 800) => {
    const energy = async () => {
      const entries = (await watch.stats('inbound-rtp')).filter((entry) => entry.kind === 'audio');
      return entries.map((entry) => [entry.totalAudioEnergy ?? 0, entry.totalSamplesDuration ?? 0]);
    };
    const before = await energy();
    await pause(ms);
    const after = await energy();
    const levels = after.map(([sum, seconds], i) => {
      const span = seconds - (before[i]?.[1] ?? 0);
      return span > 0 ? Math.sqrt(Math.max(0, sum - (before[i]?.[0] ?? 0)) / span) : 0;
    });
    return Math.max(0, ...levels);
  };

  // --- being the camera
  const draw = ({ width, height, fps, label }) => {
    const sheet = document.createElement('canvas');
    sheet.width = width;
    sheet.height = height;
    const context = sheet.getContext('2d');
    let number = 0;
    const paint = () => {
      context.fillStyle = `hsl(${(number * 4) % 360} 60% 45%)`;
      context.fillRect(0, height / 2, width, height / 2);
      context.fillStyle = '#fff';
      context.fillRect((number * 9) % width, height * 0.72, width / 12, height / 12);
      context.font = `${Math.round(height / 12)}px sans-serif`;
      context.fillText(`${label} ${number}`, 10, height * 0.65);
      if (watch.patch) {
        // A third of the picture in one colour, for who looks for it.
        context.fillStyle = watch.patch;
        context.fillRect(0, height * 0.68, width, height * 0.32);
      }
      write(context, width, height, Date.now());
      number += 1;
    };
    paint();
    const stream = sheet.captureStream(fps);
    const clock = setInterval(paint, 1000 / fps);
    stream.getVideoTracks()[0].addEventListener('ended', () => clearInterval(clock));
    return stream;
  };
  /** The volume opens at each whole second, for a tenth of it. */
  const gate = (context, volume) => {
    let planned = 0;
    volume.gain.value = 0;
    setInterval(() => {
      const second = Math.floor(Date.now() / 1000) + 1;
      if (second === planned) return;
      planned = second;
      const at = context.currentTime + (second * 1000 - Date.now()) / 1000;
      volume.gain.setValueAtTime(0.5, at);
      volume.gain.setValueAtTime(0, at + 0.1);
    }, 100);
  };
  const tone = async (native, { beeps }) => {
    // Without a sound card Firefox never starts an AudioContext: its built-in microphone makes a tone as well.
    if (/Firefox/.test(navigator.userAgent)) return (await native({ audio: true })).getAudioTracks()[0];
    const context = new AudioContext();
    const [voice, volume, out] = [context.createOscillator(), context.createGain(), context.createMediaStreamDestination()];
    voice.frequency.value = 440;
    volume.gain.value = 0.3;
    voice.connect(volume).connect(out);
    voice.start();
    await context.resume();
    if (beeps) gate(context, volume);
    return out.stream.getAudioTracks()[0];
  };
  watch.beCamera = (options) => {
    const devices = navigator.mediaDevices;
    if (!devices) return;
    const native = devices.getUserMedia.bind(devices);
    devices.getUserMedia = async (wanted) => {
      const stream = new MediaStream();
      if (wanted?.audio) stream.addTrack(await tone(native, options));
      if (wanted?.video) stream.addTrack(draw(options).getVideoTracks()[0]);
      return stream;
    };
    devices.getDisplayMedia = async () => draw({ ...options, label: 'screen', width: 1280, height: 720, fps: 10 });
  };
})();

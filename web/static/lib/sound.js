/** The microphone's level for the meter, and a tone to hear whether the loudspeaker works. */

let shared = null;

function context() {
  shared ??= new AudioContext();
  // Browsers start it only after a gesture unless the page is already capturing.
  if (shared.state === 'suspended') shared.resume().catch(() => null);
  return shared;
}

/** Calls `tell(level)` (0-1, about ten times a second) for the track; returns the way to stop. */
export function watchLevel(track, tell) {
  const audio = context();
  const source = audio.createMediaStreamSource(new MediaStream([track]));
  const analyser = audio.createAnalyser();
  analyser.fftSize = 1024;
  source.connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  const wake = () => audio.resume().catch(() => null);
  addEventListener('pointerdown', wake);
  const timer = setInterval(() => {
    analyser.getFloatTimeDomainData(samples);
    const power = samples.reduce((total, x) => total + x * x, 0) / samples.length;
    // -60 dB (a quiet room) to -10 dB (loud speech) over the meter's whole length.
    const decibels = 10 * Math.log10(power + 1e-10);
    tell(Math.min(1, Math.max(0, (decibels + 60) / 50)));
  }, 100);
  return () => {
    clearInterval(timer);
    removeEventListener('pointerdown', wake);
    source.disconnect();
  };
}

/** Two short soft notes. */
export function playTestTone() {
  const audio = context();
  const gain = audio.createGain();
  gain.connect(audio.destination);
  [523, 659].forEach((hertz, i) => {
    const note = audio.createOscillator();
    const start = audio.currentTime + i * 0.35;
    note.frequency.value = hertz;
    note.connect(gain);
    gain.gain.setValueAtTime(0.0001, start);
    gain.gain.exponentialRampToValueAtTime(0.25, start + 0.03);
    gain.gain.exponentialRampToValueAtTime(0.0001, start + 0.33);
    note.start(start);
    note.stop(start + 0.34);
  });
}

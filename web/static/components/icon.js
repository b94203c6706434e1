/** The one set of icons: line drawings on a 24 grid, stroked in the text's colour, always beside a text. */

const PATHS = {
  mic: 'M12 3a3 3 0 0 0-3 3v5a3 3 0 0 0 6 0V6a3 3 0 0 0-3-3M5 11a7 7 0 0 0 14 0M12 18v3',
  micOff: 'M15 9V6a3 3 0 0 0-5.7-1.3M9 9v2a3 3 0 0 0 4.5 2.6M5 11a7 7 0 0 0 11 5.7M19 11a7 7 0 0 1-.5 2.6M12 18v3M4 4l16 16',
  camera: 'M3 7h12v10H3zM15 11l6-3v8l-6-3',
  cameraOff: 'M8 7h7v6M15 17H3V7h1M15 11l6-3v8l-4-2M4 4l16 16',
  screen: 'M3 5h18v11H3zM9 20h6M12 16v4',
  screenOff: 'M8 5h13v11h-2M15 16H3V5h1M9 20h6M12 16v4M4 3l16 16',
  blank: 'M3 6h18v12H3zM3 18L21 6',
  pause: 'M9 6v12M15 6v12',
  play: 'M8 5l11 7-11 7z',
  stop: 'M6 6h12v12H6z',
  live: 'M12 10a2 2 0 1 1 0 4 2 2 0 0 1 0-4M8 16a6 6 0 0 1 0-8M16 8a6 6 0 0 1 0 8M5 19a10 10 0 0 1 0-14M19 5a10 10 0 0 1 0 14',
  people: 'M9 5a3 3 0 1 1 0 6 3 3 0 0 1 0-6M3 20c0-4 2.5-6 6-6s6 2 6 6M16 5.2a3 3 0 0 1 0 5.6M18 14.6c2 .8 3 2.6 3 5.4',
  chat: 'M4 5h16v11H10l-4 4v-4H4z',
  sound: 'M4 9v6h4l5 4V5L8 9zM16 9a4 4 0 0 1 0 6M18.5 6.5a8 8 0 0 1 0 11',
  soundOff: 'M4 9v6h4l5 4V5L8 9zM17 9.5l5 5M22 9.5l-5 5',
  captions: 'M3 5h18v14H3zM10.5 10.5a2 2 0 1 0 0 3M17 10.5a2 2 0 1 0 0 3',
  captionsOff: 'M7 5h14v14h-1M16 19H3V5h1M4 4l16 16',
  full: 'M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5',
  fit: 'M3 6h18v12H3zM8 10v4M16 10v4',
  cut: 'M12 3a9 9 0 1 1 0 18 9 9 0 0 1 0-18M6 6l12 12',
  restore: 'M4 12a8 8 0 1 0 2.5-5.8M4 4v5h5',
  copy: 'M9 9h11v11H9zM5 15H4V4h11v1',
  link: 'M10 14a4 4 0 0 0 6 .5l3-3a4 4 0 0 0-6-6l-1 1M14 10a4 4 0 0 0-6-.5l-3 3a4 4 0 0 0 6 6l1-1',
  plus: 'M12 5v14M5 12h14',
  search: 'M11 4a7 7 0 1 1 0 14 7 7 0 0 1 0-14M16 16l5 5',
  warn: 'M12 4l9 16H3zM12 10v5M12 17.5v.5',
  ok: 'M5 13l4 4L19 7',
  close: 'M6 6l12 12M18 6L6 18',
  record: 'M12 5a7 7 0 1 1 0 14 7 7 0 0 1 0-14M12 9a3 3 0 1 1 0 6 3 3 0 0 1 0-6',
  lock: 'M6 11h12v9H6zM8 11V8a4 4 0 0 1 8 0v3',
  download: 'M12 4v11M7 10l5 5 5-5M4 20h16',
  file: 'M6 3h8l4 4v14H6zM14 3v4h4',
  back: 'M15 5l-7 7 7 7',
  eye: 'M2 12c3-5 6.5-7 10-7s7 2 10 7c-3 5-6.5 7-10 7s-7-2-10-7M12 9a3 3 0 1 1 0 6 3 3 0 0 1 0-6',
  eyeOff: 'M4 4l16 16M9 5.4A9 9 0 0 1 12 5c3.5 0 7 2 10 7a17 17 0 0 1-3 3.8M6 7.5A17 17 0 0 0 2 12c3 5 6.5 7 10 7a9 9 0 0 0 4-1',
  clock: 'M12 3a9 9 0 1 1 0 18 9 9 0 0 1 0-18M12 7v5l4 2',
  shield: 'M12 3l8 3v6c0 5-3.5 8-8 9-4.5-1-8-4-8-9V6z',
  chatOff: 'M8 5h12v11h-3M13 16h-3l-4 4v-4H4V5M4 3l16 16',
  list: 'M8 6h12M8 12h12M8 18h12M4 6h.01M4 12h.01M4 18h.01',
  up: 'M12 19V6M6 11l6-6 6 6',
  upload: 'M12 16V5M7 10l5-5 5 5M4 20h16',
  word: 'M5 5h14M12 5v14M8 19h8',
  hand: 'M7 20c-2-3-3-5-3-7l2-1 2 3V5h2v6h1V4h2v7h1V5h2v7h1V8h2v7c0 3-1 5-3 5z',
};

const SVG = 'http://www.w3.org/2000/svg';

export function icon(name) {
  const svg = document.createElementNS(SVG, 'svg');
  const path = document.createElementNS(SVG, 'path');
  svg.setAttribute('viewBox', '0 0 24 24');
  svg.setAttribute('class', 'icon');
  svg.setAttribute('aria-hidden', 'true');
  path.setAttribute('d', PATHS[name]);
  svg.append(path);
  return svg;
}

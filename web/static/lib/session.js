/**
 * Who opened this tab: the token of the link, kept for this tab and this address only, so that two
 * roles can be open side by side; and the lesson that the address names.
 */

const key = (name) => `lectern.${name}:${location.pathname}`;

function take() {
  const fragment = new URLSearchParams(location.hash.slice(1));
  let found = false;
  for (const name of ['token', 'setup', 'link', 'password']) {
    if (!fragment.has(name)) continue;
    sessionStorage.setItem(key(name), fragment.get(name));
    if (name === 'token') sessionStorage.removeItem(key('signed-in'));
    found = true;
  }
  // The secret leaves the address bar, the history and every screenshot.
  if (found) history.replaceState(null, '', location.pathname + location.search);
  return found;
}

take();
// A second link pasted over the first changes only the fragment, which loads nothing by itself.
addEventListener('hashchange', () => {
  if (take()) location.reload();
});

export const token = () => sessionStorage.getItem(key('token'));
/** A link signed for one recording, for people without a token. */
export const link = () => sessionStorage.getItem(key('link'));
/** What the token says of its bearer, for what to show; what may be done is decided by the server. */
export function bearer() {
  try {
    const payload = (token() ?? '').split('.')[1].replaceAll('-', '+').replaceAll('_', '/');
    const bytes = Uint8Array.from(atob(payload), (letter) => letter.charCodeAt(0));
    const { sub: person, name, role, lesson } = JSON.parse(new TextDecoder().decode(bytes));
    return { person, name, role, lesson };
  } catch {
    return { person: '', name: '', role: '', lesson: '' };
  }
}

export const setupToken = () => sessionStorage.getItem(key('setup'));

/** The link by which an account's owner sets the password. */
export const passwordLink = () => sessionStorage.getItem(key('password'));
export const forget = (name) => sessionStorage.removeItem(key(name));

/** Opens another of this server's pages in this tab: as the same person, or by a token for that page alone. */
export function goTo(pathname, other = null) {
  sessionStorage.setItem(`lectern.token:${pathname}`, other ?? token());
  const keeps = other === null && sessionStorage.getItem(key('signed-in'));
  if (keeps) sessionStorage.setItem(`lectern.signed-in:${pathname}`, keeps);
  else sessionStorage.removeItem(`lectern.signed-in:${pathname}`);
  location.assign(pathname + location.search);
}

/** `/learn/abc` → `abc`; null where the address names no lesson (or, of `/watch/…`, no recording). */
export function lessonId() {
  const part = location.pathname.split('/')[2];
  return part ? decodeURIComponent(part) : null;
}

/*
 * Who signed in: the token lasts some minutes, and a cookie that no script reads brings the next one. Pages that were
 * opened by a link have no such cookie, and nothing below concerns them.
 */
const SESSION = '/api/v1/session';
const RENEW_MS = 10_000;
/** A token that ends sooner is renewed before a socket is joined by it. */
const SOON_S = 30;

export const signedIn = () => sessionStorage.getItem(key('signed-in')) !== null;

/** Keeps what signing in, or renewing, was answered with. */
export function keep(session) {
  sessionStorage.setItem(key('token'), session.token);
  sessionStorage.setItem(key('signed-in'), String(Date.parse(session.expires_at)));
  return session;
}

export function drop() {
  sessionStorage.removeItem(key('token'));
  sessionStorage.removeItem(key('signed-in'));
}

let asking = null;

/** The session with its next token, or null: signed out, or nothing answered. Asked once for all who wait. */
export function renew() {
  asking ??= ask().finally(() => { asking = null; });
  return asking;
}

async function ask() {
  let response;
  try {
    response = await fetch(`${SESSION}/refresh`, { method: 'POST', credentials: 'same-origin', cache: 'no-store',
      signal: AbortSignal.timeout(RENEW_MS) });
  } catch {
    return null;
  }
  if (response.status === 401) drop();
  return response.ok ? keep(await response.json()) : null;
}

/** Resolves once the token is good for a while, if it can be. */
export async function fresh() {
  if (!signedIn() || !token()) return;
  const left = Number(sessionStorage.getItem(key('signed-in'))) - Date.now();
  if (left < SOON_S * 1000) await renew();
}

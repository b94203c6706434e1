/**
 * Who opened this tab: the token of the link, kept for this tab and this address only, so that two
 * roles can be open side by side; and the lesson that the address names.
 */

const key = (name) => `lectern.${name}:${location.pathname}`;

function take() {
  const fragment = new URLSearchParams(location.hash.slice(1));
  let found = false;
  for (const name of ['token', 'setup', 'link']) {
    if (!fragment.has(name)) continue;
    sessionStorage.setItem(key(name), fragment.get(name));
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

/** The set-up link was used: this tab is now the administrator's. */
export function becomeAdministrator(fresh) {
  sessionStorage.setItem(key('token'), fresh);
  sessionStorage.removeItem(key('setup'));
}

/** Opens another of this server's pages in this tab, as the same person. */
export function goTo(pathname) {
  sessionStorage.setItem(`lectern.token:${pathname}`, token());
  location.assign(pathname + location.search);
}

/** `/learn/abc` → `abc`; null where the address names no lesson (or, of `/watch/…`, no recording). */
export function lessonId() {
  const part = location.pathname.split('/')[2];
  return part ? decodeURIComponent(part) : null;
}

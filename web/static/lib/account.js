/** Signing in and one's own account, over the REST interface; only these calls send the session's cookie. */
import { request } from './api.js';
import { createPasskey, getPasskey } from './passkey.js';
import { drop, keep } from './session.js';

const SESSION = '/api/v1/session';

async function call(method, path = '', body = undefined) {
  const options = { method, credentials: 'same-origin' };
  if (body !== undefined) {
    options.headers = { 'Content-Type': 'application/json' };
    options.body = JSON.stringify(body);
  }
  const response = await request(SESSION + path, options);
  return response.status === 204 ? null : response.json();
}

export const ways = () => call('GET', '/ways');
export const signIn = async (name, password) => keep(await call('POST', '', { name, password }));
export const setPassword = (link, password) => call('POST', '/password', { link, password });
export const changePassword = (old, fresh) => call('PUT', '/password', { old, new: fresh });
export const stays = () => call('GET', '/stays');
export const endStay = (id) => call('DELETE', `/stays/${encodeURIComponent(id)}`);

/** Here as well: the cookie goes with it. */
export async function signOutEverywhere() {
  await call('DELETE', '/stays');
  drop();
}

export const passkeys = () => call('GET', '/passkeys');
export const removePasskey = (id) => call('DELETE', `/passkeys/${encodeURIComponent(id)}`);

export async function signInByPasskey() {
  const { ticket, public_key: options } = await call('POST', '/passkey/options');
  return keep(await call('POST', '/passkey', { ticket, credential: await getPasskey(options) }));
}

/** `code`: an administrator's, where the first one takes it. */
export async function addPasskey(label, code = '') {
  const given = code ? { code } : {};
  const { ticket, public_key: options } = await call('POST', '/passkeys/options', given);
  return call('POST', '/passkeys', { ticket, label, credential: await createPasskey(options), ...given });
}

/** The first administrator's account: a path of its own, for the cookie comes with the answer. */
export async function setUp(body) {
  const response = await request('/api/v1/setup', { method: 'POST', credentials: 'same-origin', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) });
  return keep(await response.json());
}

export async function signOut() {
  await call('DELETE');
  drop();
}

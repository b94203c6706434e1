/** The REST interface: JSON in, JSON out, one error type with the server's stable code. */
import { renew, signedIn, token } from './session.js';

const TIMEOUT_MS = 10_000;

/** A refused or failed request. `code` is the server's, or `network` when nothing answered. */
export class Problem extends Error {
  constructor(code, status = 0, detail = '', retryAfterMs = null) {
    super(detail || code);
    this.code = code;
    this.status = status;
    this.detail = detail;
    this.retryAfterMs = retryAfterMs;
  }

  static async of(response) {
    const seconds = Number.parseFloat(response.headers.get('Retry-After') ?? '');
    const wait = Number.isFinite(seconds) ? Math.max(0, seconds * 1000) : null;
    try {
      const body = await response.json();
      return new Problem(String(body.code ?? response.status), response.status, body.detail ?? '', wait);
    } catch {
      return new Problem(String(response.status), response.status, '', wait);
    }
  }
}

const OVER = new Set(['token_expired', 'token_missing', 'session_ended']);

/**
 * fetch with the token, a time limit, and `Problem` for everything but success. Where somebody is signed in, a
 * token that is over is renewed once.
 */
export async function request(url, options = {}) {
  try {
    return await once(url, options);
  } catch (problem) {
    if (!OVER.has(problem.code) || !signedIn() || !(await renew())) throw problem;
    return once(url, options);
  }
}

async function once(url, { headers = {}, timeoutMs = TIMEOUT_MS, ...options }) {
  const bearer = token();
  let response;
  try {
    response = await fetch(url, {
      credentials: 'omit',
      ...options,
      cache: 'no-store',
      headers: bearer ? { Authorization: `Bearer ${bearer}`, ...headers } : headers,
      signal: AbortSignal.timeout(timeoutMs),
    });
  } catch (cause) {
    throw new Problem('network', 0, cause.message);
  }
  if (!response.ok) throw await Problem.of(response);
  return response;
}

async function json(method, path, body, origin = '') {
  const options = { method };
  if (body !== undefined) {
    options.headers = { 'Content-Type': 'application/json' };
    options.body = JSON.stringify(body);
  }
  const response = await request(`${origin}/api/v1${path}`, options);
  return response.status === 204 ? null : response.json();
}

export const get = (path) => json('GET', path);
export const post = (path, body = {}) => json('POST', path, body);
export const put = (path, body) => json('PUT', path, body);
export const patch = (path, body) => json('PATCH', path, body);
export const del = (path) => json('DELETE', path);

/** The first answer of the public port and the control port, which works when the other is blocked. */
export function postBoth(path, body) {
  const control = controlOrigin();
  const both = [json('POST', path, body)];
  if (control) both.push(json('POST', path, body, control));
  return Promise.any(both).catch((all) => {
    // A refusal says more than a port that did not answer.
    throw all.errors.find((problem) => problem.status) ?? all.errors[0];
  });
}

function controlOrigin() {
  const filled = document.querySelector('meta[name="control-url"]')?.content ?? '';
  return filled.startsWith('http') ? filled.replace(/\/$/, '') : '';
}

/** All pages of a list, newest first, to a bound that a page can still show. */
export async function getAll(path, limit = 1000) {
  const items = [];
  let after = null;
  do {
    const mark = path.includes('?') ? '&' : '?';
    const list = await get(after === null ? path : `${path}${mark}after=${encodeURIComponent(after)}`);
    items.push(...list.items);
    after = list.next;
  } while (after !== null && after !== undefined && items.length < limit);
  return items;
}

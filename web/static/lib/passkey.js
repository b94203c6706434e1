/** Passkeys (WebAuthn) in the browser: JSON of the server in, JSON for the server out. */

const bytes = (text) => Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (letter) => letter.charCodeAt(0));
const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
const named = (list = []) => list.map((one) => ({ ...one, id: bytes(one.id) }));

/** Browsers have passkeys on safe pages of a host with a name. */
export const canUsePasskeys = () => Boolean(globalThis.PublicKeyCredential) && isSecureContext && !/^[\d.]+$|:/.test(location.hostname);

/** The credential as JSON; throws NotAllowedError when the person does not. */
export async function createPasskey(options) {
  const made = await navigator.credentials.create({ publicKey: {
    ...options, challenge: bytes(options.challenge), user: { ...options.user, id: bytes(options.user.id) },
    excludeCredentials: named(options.excludeCredentials),
  } });
  return shape(made, ['attestationObject']);
}

export async function getPasskey(options) {
  const found = await navigator.credentials.get({ publicKey: {
    ...options, challenge: bytes(options.challenge), allowCredentials: named(options.allowCredentials),
  } });
  return shape(found, ['authenticatorData', 'signature']);
}

function shape({ id, rawId, type, response }, parts) {
  const said = Object.fromEntries(['clientDataJSON', ...parts].map((part) => [part, text(response[part])]));
  return { id, rawId: text(rawId), type, response: said };
}

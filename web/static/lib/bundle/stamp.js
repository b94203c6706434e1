/**
 * Reading and checking a time stamp (RFC 3161) as core/stamp.py does, verdict by verdict: its form (strict DER), that
 * it stamps the given SHA-256, that its one signer signed it (RFC 5652 5.4) with the certificate that the signed
 * attributes name (RFC 5035), that this certificate is made for stamping and was valid then. Who issued the
 * certificate is the reader's to know: he compares its SHA-256.
 */
import { hex, same, sha256 } from './bytes.js';
import { HASHES, read, signed } from './certificate.js';
import { BOOLEAN, DerError, Fields, INTEGER, OCTETS, OID, SEQUENCE, SET, TIME, inner, oid, whole } from './der.js';

export const TOKEN_MOST_BYTES = 65_536;
const MOST_CERTIFICATES = 16;
const SERIAL_END = 2n ** 160n;
const [SIGNED_DATA, TST_INFO] = [oid('1.2.840.113549.1.7.2'), oid('1.2.840.113549.1.9.16.1.4')];
const [CONTENT_TYPE, MESSAGE_DIGEST] = [oid('1.2.840.113549.1.9.3'), oid('1.2.840.113549.1.9.4')];
const STAMPING = oid('1.3.6.1.5.5.7.3.8');
const [CERTIFICATE_V1, CERTIFICATE_V2] = [oid('1.2.840.113549.1.9.16.2.12'), oid('1.2.840.113549.1.9.16.2.47')];
const NOTHING = new Uint8Array();

/** The stamp does not hold; `code` is that of core/stamp.py. */
export class StampError extends Error {
  constructor(code) {
    super(code);
    this.code = code;
  }
}

/**
 * What the authority's `answer` proves of the thing with this SHA-256: { atMs, serial, certificate, authority,
 * checked }, `certificate` its SHA-256, `checked` false where this browser cannot check the signature. Throws a
 * StampError.
 */
export async function checkStamp(answer, digest) {
  if (answer.length > TOKEN_MOST_BYTES) throw new StampError('form');
  try {
    return await found(answer, digest);
  } catch (problem) {
    throw problem instanceof DerError ? new StampError('form') : problem;
  }
}

async function found(answer, digest) {
  const data = signedData(answer);
  data.take(INTEGER);
  data.take(SET); // digest algorithms: the signer's own is what counts
  const content = contentOf(data.take(SEQUENCE));
  const certificates = data.maybe(inner(0));
  data.maybe(inner(1));
  const signers = data.take(SET).fields();
  data.end();
  const signer = signers.take(SEQUENCE);
  signers.end();
  const { atMs, serial } = stamped(content, digest);
  const { by, checked } = await signature(signer.fields(), content, certificates);
  if (atMs < by.fromMs || atMs > by.untilMs) throw new StampError('validity');
  if (by.uses.length !== 1 || by.uses[0] !== STAMPING) throw new StampError('use');
  return { atMs, serial: String(serial), certificate: hex(await sha256(by.whole)), authority: by.subject, checked };
}

/** TimeStampResp (RFC 3161 2.4.2), and what is signed in it. */
function signedData(answer) {
  const response = whole(answer, SEQUENCE).fields();
  if (response.take(SEQUENCE).fields().take(INTEGER).integer() !== 0n) throw new StampError('refused');
  const info = response.take(SEQUENCE).fields();
  response.end();
  if (info.oid() !== SIGNED_DATA) throw new DerError('it is not signed data');
  const data = whole(info.take(inner(0)).content, SEQUENCE);
  info.end();
  return data.fields();
}

/** The bytes of TSTInfo. */
function contentOf(encapsulated) {
  const fields = encapsulated.fields();
  if (fields.oid() !== TST_INFO) throw new DerError('what is signed is no time stamp');
  const { content } = whole(fields.take(inner(0)).content, OCTETS);
  fields.end();
  return content;
}

/** TSTInfo (RFC 3161 2.4.2): when, ms since 1970, and its number. */
function stamped(content, digest) {
  const info = whole(content, SEQUENCE).fields();
  if (info.take(INTEGER).integer() !== 1n) throw new DerError('its version is not known');
  info.take(OID); // the authority's policy
  const imprint = info.take(SEQUENCE).fields();
  const hashedBy = imprint.take(SEQUENCE).fields().oid();
  const { content: of } = imprint.take(OCTETS);
  imprint.end();
  if (HASHES.get(hashedBy) !== 'SHA-256' || !same(of, digest)) throw new StampError('other');
  const serial = info.take(INTEGER).integer();
  if (serial < 0n || serial >= SERIAL_END) throw new DerError('its number is too large');
  const atMs = info.take(TIME).timeMs();
  // Accuracy, ordering, nonce, name, extensions.
  for (const tag of [SEQUENCE, BOOLEAN, INTEGER, inner(0), inner(1)]) info.maybe(tag);
  info.end();
  return { atMs, serial };
}

/** SignerInfo (RFC 5652 5.3): { by: whose it is, checked }. Throws a StampError for one that does not fit. */
async function signature(signer, content, certificates) {
  signer.take(INTEGER);
  signer.any(); // who signed, by name and number: the signed attributes name the certificate itself
  const hashedBy = HASHES.get(signer.take(SEQUENCE).fields().oid());
  const attributes = signer.take(inner(0));
  const algorithm = signer.take(SEQUENCE).fields().oid();
  const { content: bytes } = signer.take(OCTETS);
  signer.maybe(inner(1));
  signer.end();
  if (!hashedBy) throw new StampError('unknown');
  const known = attributesOf(attributes);
  const kind = whole(known.get(CONTENT_TYPE) ?? NOTHING, OID).content;
  if (hex(kind) !== TST_INFO) throw new DerError('the signer signed something else than a time stamp');
  const said = whole(known.get(MESSAGE_DIGEST) ?? NOTHING, OCTETS).content;
  if (!same(said, await hashed(hashedBy, content))) throw new StampError('altered');
  const by = await named(known, certificates);
  const message = attributes.whole.slice();
  message[0] = SET; // RFC 5652 5.4
  const verdict = await signed(by.key, algorithm, hashedBy, message, bytes);
  if (verdict === 'unknown') throw new StampError('unknown');
  if (verdict === 'differs') throw new StampError('signature');
  return { by, checked: verdict === 'fits' };
}

/** Each attribute's one value by its type. */
function attributesOf(attributes) {
  const known = new Map();
  const fields = attributes.fields();
  while (fields.more()) {
    const attribute = fields.take(SEQUENCE).fields();
    const [kind, values] = [attribute.oid(), attribute.take(SET).content];
    attribute.end();
    if (known.has(kind)) throw new DerError('a signed attribute is there twice');
    known.set(kind, values);
  }
  return known;
}

/** The certificate whose hash the signer signed (RFC 5035 section 3). */
async function named(known, certificates) {
  const second = known.get(CERTIFICATE_V2);
  const name = second ?? known.get(CERTIFICATE_V1);
  if (!name) throw new StampError('certificate');
  const first = whole(name, SEQUENCE).fields().take(SEQUENCE).fields().take(SEQUENCE).fields();
  const chosen = second ? first.maybe(SEQUENCE) : null;
  const standard = second ? 'SHA-256' : 'SHA-1';
  const hashedBy = chosen === null ? standard : HASHES.get(chosen.fields().oid());
  const digest = first.take(OCTETS).content;
  const fields = new Fields(certificates?.content ?? NOTHING);
  for (let count = 0; count < MOST_CERTIFICATES && fields.more() && hashedBy; count += 1) {
    const one = fields.any();
    if (one.tag === SEQUENCE && same(await hashed(hashedBy, one.whole), digest)) return read(one);
  }
  throw new StampError('certificate');
}

const hashed = async (name, bytes) => new Uint8Array(await crypto.subtle.digest(name, bytes));

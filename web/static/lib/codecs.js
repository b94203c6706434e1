/** Which video codecs we offer, in which order: H.264 42e01f first, VP8 second, nothing else (WHIP/WHEP). */

const rank = (codec) => {
  const fmtp = (codec.sdpFmtpLine ?? '').toLowerCase();
  const type = codec.mimeType.toLowerCase();
  if (type === 'video/h264') {
    return (fmtp.includes('packetization-mode=1') ? 0 : 2) + (fmtp.includes('profile-level-id=42e0') ? 0 : 1);
  }
  if (type === 'video/vp8') return 4;
  return type === 'video/rtx' ? 5 : null;
};

/** Leaves the browser's own list where it cannot be set. */
export function preferCodecs(transceiver, capabilities) {
  if (!transceiver.setCodecPreferences || !capabilities) return;
  const kept = capabilities.codecs
    .map((codec) => ({ codec, place: rank(codec) }))
    .filter(({ place }) => place !== null)
    .sort((a, b) => a.place - b.place)
    .map(({ codec }) => codec);
  if (kept.length) transceiver.setCodecPreferences(kept);
}

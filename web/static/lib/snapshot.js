/** One photo from the front camera: small, and never more than the line carries in a moment. */

const SIDE_PX = 720;
const MOST_BYTES = 200_000;
const QUALITIES = [0.85, 0.7, 0.55, 0.4];
const REASONS = { NotAllowedError: 'refused', SecurityError: 'refused', NotFoundError: 'missing', OverconstrainedError: 'missing' };

/** Resolves with a stream, or rejects with an Error whose message is 'refused' | 'missing' | 'busy'. */
export async function openCamera() {
  if (!navigator.mediaDevices) throw new Error('missing');
  try {
    return await navigator.mediaDevices.getUserMedia({ audio: false, video: { facingMode: 'user', width: { ideal: 1280 }, height: { ideal: 960 } } });
  } catch (problem) {
    throw new Error(REASONS[problem.name] ?? 'busy');
  }
}

export function closeCamera(stream) {
  for (const track of stream?.getTracks() ?? []) track.stop();
}

/** What `video` shows, as a JPEG of at most 720 px and 200 kB; as the camera sees it, not mirrored. */
export async function takePhoto(video) {
  const scale = Math.min(1, SIDE_PX / Math.max(video.videoWidth, video.videoHeight));
  const canvas = document.createElement('canvas');
  canvas.width = Math.round(video.videoWidth * scale);
  canvas.height = Math.round(video.videoHeight * scale);
  canvas.getContext('2d').drawImage(video, 0, 0, canvas.width, canvas.height);
  let photo = null;
  for (const quality of QUALITIES) {
    photo = await new Promise((resolve) => { canvas.toBlob(resolve, 'image/jpeg', quality); });
    if (photo && photo.size <= MOST_BYTES) break;
  }
  return photo;
}

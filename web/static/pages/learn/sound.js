/** Sound at once where the browser allows it; else the picture plays muted and one clear tap brings sound. */
import { icon } from '../../components/icon.js';
import { el } from '../../lib/dom.js';
import { t } from '../../lib/i18n.js';

export class Sound {
  #video;
  #tap;

  constructor(stage) {
    this.#video = stage.video;
    this.#tap = el('button', { type: 'button', class: 'tap-to-hear', hidden: true,
      on: { click: (event) => this.#hear(event) } }, icon('sound'), el('span', {}, t('learn.tap_to_hear')));
    stage.overlay.append(this.#tap);
  }

  async play() {
    try {
      this.#video.muted = false;
      await this.#video.play();
      this.#tap.hidden = true;
    } catch (problem) {
      // AbortError: other tracks were put in meanwhile, and their own play() is under way.
      if (problem.name !== 'NotAllowedError') return;
      this.#video.muted = true;
      this.#tap.hidden = false;
      await this.#video.play().catch(() => null);
    }
  }

  #hear(event) {
    event.stopPropagation();
    this.play();
  }
}

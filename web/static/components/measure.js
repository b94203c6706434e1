/** What screening does about what it found, and how much it looks at, in words. */
import { t } from '../lib/i18n.js';

const MEASURES = {
  allow: 'measure.allow', log: 'measure.log', warn: 'measure.warn', hide: 'measure.hide', mute: 'measure.mute',
  blank: 'measure.blank', pause: 'measure.pause', cut: 'measure.cut',
};

export const measureName = (action) => (action in MEASURES ? t(MEASURES[action]) : action);

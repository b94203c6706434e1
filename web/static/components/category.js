/** What screening looks for and what it looked at, in words and signs. */
import { el } from '../lib/dom.js';
import { t } from '../lib/i18n.js';
import { icon } from './icon.js';

const CATEGORIES = {
  porn: 'category.porn', gambling: 'category.gambling', drugs: 'category.drugs', fraud: 'category.fraud',
  illicit_ad: 'category.illicit_ad', abuse: 'category.abuse', violence: 'category.violence',
  sensitive: 'category.sensitive', benign: 'category.benign',
};
const KINDS = {
  frame: ['kind.frame', 'camera'], text: ['kind.text', 'word'], chat: ['kind.chat', 'chat'], speech: ['kind.speech', 'mic'],
  blind: ['kind.blind', 'eyeOff'],
};

export const categoryName = (category) => (category in CATEGORIES ? t(CATEGORIES[category]) : category);
export const categoryNames = () => Object.keys(CATEGORIES).filter((name) => name !== 'benign');
export const kindName = (kind) => (kind in KINDS ? t(KINDS[kind][0]) : kind);

/** A kind as its sign with its word. */
export const kindSign = (kind) => el('span', { class: 'source' }, icon(KINDS[kind]?.[1] ?? 'warn'), kindName(kind));

/** What an incident is about: its category, or that nobody looked. */
export const subject = ({ kind, category }) => (kind === 'blind' ? t('kind.blind') : categoryName(category));

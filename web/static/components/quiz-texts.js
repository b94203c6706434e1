/** The texts of asking a class, before anything is drawn with them. */
import en from '../i18n/quiz.en.js';
import zh from '../i18n/quiz.zh.js';
import { add } from '../lib/i18n.js';

add({ zh, en });

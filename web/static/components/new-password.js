import { el } from '../lib/dom.js';

/** A field for a password that is about to be set; the browser offers to make one up. */
export const newPassword = (testid) => el('input', { class: 'input', type: 'password', required: true, minlength: 10, maxlength: 128, autocomplete: 'new-password', testid });

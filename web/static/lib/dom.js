/** Building the page's nodes. Text always goes in as text: there is no way here to pass markup. */

const PROPERTIES = new Set(['value', 'checked', 'disabled', 'muted', 'srcObject', 'hidden', 'indeterminate']);

/**
 * el('button', { class: 'button', testid: 'go-live', on: { click } }, 'Go live')
 * Attributes that are null, undefined or false are left out; children may be nodes, strings or lists.
 */
export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) apply(node, name, value);
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

function apply(node, name, value) {
  if (name === 'on') {
    for (const [type, listener] of Object.entries(value)) node.addEventListener(type, listener);
  } else if (PROPERTIES.has(name)) {
    node[name] = value;
  } else if (value === null || value === undefined || value === false) {
    return;
  } else if (name === 'testid') {
    node.dataset.testid = value;
  } else {
    node.setAttribute(name, value === true ? '' : String(value));
  }
}

/** Sets the text only when it differs, so that live regions and selections are left in peace. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

let counter = 0;

/** An id for label/description wiring, unique in the page. */
export function uniqueId(stem) {
  counter += 1;
  return `${stem}-${counter}`;
}

/** Puts the built page in place of the shell's opening line. */
export function mount(...nodes) {
  document.getElementById('app').replaceChildren(...nodes);
}

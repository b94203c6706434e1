/** One tap and two taps on the stage are different wishes: the first waits a moment for the second. */
const SECOND_TAP_MS = 280;

export function taps(node, { once, twice }) {
  let timer = 0;
  node.addEventListener('click', (event) => {
    // Buttons on the stage keep their own meaning.
    if (event.target.closest('button')) return;
    if (timer) {
      clearTimeout(timer);
      timer = 0;
      twice();
      return;
    }
    timer = setTimeout(() => {
      timer = 0;
      once();
    }, SECOND_TAP_MS);
  });
}

/**
 * Printing from the worker: text goes to the main thread without waiting, but a loop that prints faster
 * than the terminal takes it waits now and then, so that memory stays bounded.
 */

/** Printed text that may be on its way. */
const MAX_UNDRAINED = 256 * 1024;

export function printer(send: (text: string) => void, drain: () => void): (text: string) => void {
  let undrained = 0;
  return (text) => {
    send(text);
    undrained += text.length;
    if (undrained < MAX_UNDRAINED) return;
    undrained = 0;
    drain();
  };
}

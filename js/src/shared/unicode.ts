// JavaScript strings may hold halves of surrogate pairs, which no UTF-8 can express.

/** Place of the first unpaired surrogate in `text`, in UTF-16 units; -1 if there is none. */
export function unpairedSurrogate(text: string): number {
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0xd800 || unit > 0xdfff) continue;
    const next = text.charCodeAt(i + 1);
    if (unit > 0xdbff || !(next >= 0xdc00 && next <= 0xdfff)) return i;
    i++;
  }
  return -1;
}

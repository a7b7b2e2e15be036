// Reduces a picture to 256 colours of its own: median cut over its distinct colours, then two rounds that move
// each colour to the mean of what it stands for. A picture of few colours keeps them exactly.

const maxColours = 256;
const rounds = 2;

/** Distinct colours as rows of [red, green, blue, count], in the order of their first pixel. */
function histogram(rgba) {
  const counts = new Map();
  for (let i = 0; i < rgba.length; i += 4) {
    const key = (rgba[i] << 16) | (rgba[i + 1] << 8) | rgba[i + 2];
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return Array.from(counts, ([key, count]) => [key >> 16, (key >> 8) & 255, key & 255, count]);
}

/** The widest channel of a box and how much its weighted spread is. */
function spread(box) {
  let best = { channel: 0, amount: -1 };
  let pixels = 0;
  for (const colour of box) pixels += colour[3];
  for (let channel = 0; channel < 3; channel++) {
    let sum = 0;
    let squares = 0;
    for (const colour of box) {
      sum += colour[channel] * colour[3];
      squares += colour[channel] ** 2 * colour[3];
    }
    const amount = squares - sum ** 2 / pixels;
    if (amount > best.amount) best = { channel, amount };
  }
  return best;
}

function medianCut(colours) {
  const boxes = [{ colours, ...spread(colours) }];
  while (boxes.length < maxColours) {
    const widest = boxes.reduce(
      (best, box, i) =>
        box.colours.length > 1 && box.amount > (boxes[best]?.amount ?? -1) ? i : best,
      -1,
    );
    if (widest < 0) break;
    const { colours: box, channel } = boxes[widest];
    box.sort((a, b) => a[channel] - b[channel]);
    let total = 0;
    let sum = 0;
    for (const colour of box) {
      total += colour[3];
      sum += colour[channel] * colour[3];
    }
    const mean = sum / total;
    let cut = box.findIndex((colour) => colour[channel] > mean);
    if (cut < 1) cut = box.length >> 1;
    const [low, high] = [box.slice(0, cut), box.slice(cut)];
    boxes[widest] = { colours: low, ...spread(low) };
    boxes.push({ colours: high, ...spread(high) });
  }
  return boxes.map(({ colours: box }) => mean(box));
}

function mean(colours) {
  const sums = [0, 0, 0, 0];
  for (const colour of colours) {
    for (let channel = 0; channel < 3; channel++) sums[channel] += colour[channel] * colour[3];
    sums[3] += colour[3];
  }
  return sums.slice(0, 3).map((sum) => Math.round(sum / sums[3]));
}

function nearest(palette, colour) {
  let best = 0;
  let bestDistance = Infinity;
  for (let i = 0; i < palette.length; i++) {
    const [red, green, blue] = palette[i];
    const distance = (red - colour[0]) ** 2 + (green - colour[1]) ** 2 + (blue - colour[2]) ** 2;
    if (distance < bestDistance) [best, bestDistance] = [i, distance];
  }
  return best;
}

const brightness = ([red, green, blue]) => red * 299 + green * 587 + blue * 114;

/**
 * @param {Uint8Array} rgba opaque pixels, 4 bytes each
 * @returns {{ palette: number[][], indices: Uint8Array }} at most 256 colours, dark to light, and one index a pixel
 */
export function reduceColours(rgba) {
  const colours = histogram(rgba);
  let palette =
    colours.length <= maxColours
      ? colours.map((colour) => colour.slice(0, 3))
      : medianCut(colours.slice());
  for (let round = 0; round < rounds && colours.length > maxColours; round++) {
    const groups = palette.map(() => []);
    for (const colour of colours) groups[nearest(palette, colour)].push(colour);
    palette = groups.flatMap((group) => (group.length > 0 ? [mean(group)] : []));
  }
  palette.sort((a, b) => brightness(a) - brightness(b));
  const indexOf = new Map(
    colours.map((colour) => [
      (colour[0] << 16) | (colour[1] << 8) | colour[2],
      nearest(palette, colour),
    ]),
  );
  const indices = new Uint8Array(rgba.length / 4);
  for (let i = 0; i < indices.length; i++)
    indices[i] = indexOf.get((rgba[i * 4] << 16) | (rgba[i * 4 + 1] << 8) | rgba[i * 4 + 2]);
  return { palette, indices };
}

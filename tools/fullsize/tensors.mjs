// Every tensor of a stand-in: name and shape as upstream stores them, and its random numbers.
//
// How the spread is chosen. Six channels ("loud" ones) of what enters the layers are LOUD times as large as the usual channel, as in
// trained transformers. Weights do not do it: the gains of the layer norms do. So the sums that a linear layer makes are larger
// than its number of inputs tells, and each weight matrix is scaled by the energy that arrives: attention scores, hidden values
// and what a layer adds to the stream then stay of one size from the first layer to the last.
//
// Vision tower (norms before each half of a layer): the stream itself has no loud channels, what the linears read has.
// Text tower (norms after each half): the stream is what the norms give. There every channel's size is followed from norm to norm
// with the gains that were drawn, and the gains of the loud channels are what brings them to LOUD times the median.
import { Random, fromBf16, standardNormal, toBf16, within } from "./random.mjs";
import { mlpHidden, patches } from "./shape.mjs";

export const LOUD_CHANNELS = 6;
export const LOUD = 20;
export const LOUD_FROM_LAYER = 4;
export const GAIN_SIGMA = 0.3;

const GAIN_ENERGY = Math.exp(2 * GAIN_SIGMA ** 2); // mean square of a log-normal gain of median 1
// Text tower: what each half of a layer adds to a channel has this much of the usual channel's energy.
const TEXT_SHARE = 0.25;
const TEXT_SCORES = 1.1; // root mean square of q and k; of scores before the softmax: its square
const TEXT_ATTENTION = [0.5, 0.8]; // what averaging over tokens leaves of a value's size: before the loud channels, and with them
const TEXT_GELU = [1.2, 0.8]; // size of what goes into the GELU, and of what comes out
// Vision tower: what each half of a layer adds, next to a stream that begins with size 1.
const VISION_ADDED = 0.32;
const VISION_SCORES = 1.4;
const VISION_GATE = 1.2;
const ADAPTER = 0.1; // an adapter's product next to the weight it changes
const BIAS = 0.05;

const normal = (sigma) => ({ kind: "normal", sigma });

/**
 * [{ name, shape, spread }], sorted by name, as upstream's file is. A spread is { kind: "normal", sigma }, or
 * { kind: "values", values } with the BF16 numbers themselves.
 */
export function listTensors(shape, seed) {
  const tensors = [];
  const add = (name, dimensions, spread) => tensors.push({ name, shape: dimensions, spread });
  const loud = loudChannels(shape, seed);
  const draw = (prefix) => (name, size) => drawGains(seed, `${prefix}${name}`, size);
  const [text, vision] = ["text_model.transformer.roberta.", "vision_model."];
  add("logit_scale", [], { kind: "values", values: Uint16Array.of(toBf16(2.6592)) });
  addText(shape, loud.text, draw(text), (name, ...rest) => add(`${text}${name}`, ...rest));
  addVision(shape, loud.vision, draw(vision), (name, ...rest) => add(`${vision}${name}`, ...rest));
  return tensors.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** The loud channels of each tower: { text, vision }, ascending. */
export function loudChannels(shape, seed) {
  const pick = (tower, channels) => {
    const random = new Random(seed, `loud channels of ${tower}`);
    const found = new Set();
    while (found.size < LOUD_CHANNELS) found.add(random.below(channels));
    return [...found].sort((a, b) => a - b);
  };
  return { text: pick("text", shape.hidden), vision: pick("vision", shape.width) };
}

/** Gains of a norm: log-normal with median 1. BF16. */
function drawGains(seed, name, size) {
  const levels = standardNormal(),
    random = new Random(seed, name);
  return Uint16Array.from({ length: size }, () =>
    toBf16(Math.exp(GAIN_SIGMA * levels[random.below(levels.length)])),
  );
}

function addText(shape, loud, draw, add) {
  const { hidden: D, intermediate: I, vocab: V, rank: r } = shape;
  const adapted = (name, rows, columns, sigma, a, b) => {
    add(`${name}.parametrizations.weight.original`, [rows, columns], normal(sigma));
    const factor = Math.sqrt((ADAPTER * sigma) / Math.sqrt(r));
    add(`${name}.parametrizations.weight.0.lora_A`, a, normal(factor));
    add(`${name}.parametrizations.weight.0.lora_B`, b, normal(factor));
  };
  const linear = (name, out, inner, sigma) => {
    adapted(name, out, inner, sigma, [1, r, inner], [1, out, r]);
    add(`${name}.bias`, [out], normal(BIAS));
  };
  const table = (name, rows, sigma) => adapted(name, rows, D, sigma, [1, rows, r], [1, r, D]);
  table("embeddings.word_embeddings", V, 0.05);
  table("embeddings.token_type_embeddings", 1, 0.01);

  // The stream: energy (mean square) of each channel after the last norm; `added`: what has been added to each since.
  let energy = new Float64Array(D).fill(1);
  const sum = () => energy.reduce((total, e) => total + e, 0);
  const norm = (name, added, wanted) => {
    const gains = draw(`${name}.weight`, D);
    const before = energy.map((e) => e + added);
    const scale = D / before.reduce((total, e) => total + e, 0);
    energy = before.map((e, c) => e * scale * fromBf16(gains[c]) ** 2);
    for (const c of loud) {
      gains[c] = toBf16((wanted * medianSize(energy, loud)) / Math.sqrt(before[c] * scale));
      energy[c] = before[c] * scale * fromBf16(gains[c]) ** 2;
    }
    add(`${name}.weight`, [D], { kind: "values", values: gains });
    add(`${name}.bias`, [D], normal(BIAS * medianSize(energy, loud)));
  };
  norm("emb_ln", 0, 1);
  for (let i = 0; i < shape.textLayers; i++) {
    const layer = `encoder.layers.${i}.`;
    const wanted = (halves) => LOUD ** Math.min(1, halves / (2 * LOUD_FROM_LAYER));
    const half = (spread, factor, inner, linears) => {
      const added = TEXT_SHARE * medianSize(energy, loud) ** 2;
      linears(spread / Math.sqrt(sum()), Math.sqrt(added / inner) / factor);
      return added;
    };
    const byAttention = half(
      TEXT_SCORES,
      TEXT_ATTENTION[i < LOUD_FROM_LAYER ? 0 : 1] * TEXT_SCORES,
      D,
      (first, second) => {
        linear(`${layer}mixer.Wqkv`, 3 * D, D, first);
        linear(`${layer}mixer.out_proj`, D, D, second);
      },
    );
    norm(`${layer}norm1`, byAttention, wanted(2 * i + 1));
    const byMlp = half(TEXT_GELU[0], TEXT_GELU[1], I, (first, second) => {
      linear(`${layer}mlp.fc1`, I, D, first);
      linear(`${layer}mlp.fc2`, D, I, second);
    });
    norm(`${layer}norm2`, byMlp, wanted(2 * i + 2));
  }
}

/** The standard deviation of the normal distribution that has the median magnitude of all channels but the loud ones. */
function medianSize(energy, loud) {
  const sizes = [...energy].filter((_, c) => !loud.includes(c)).map(Math.sqrt);
  let [low, high] = [0, Math.max(...sizes)];
  for (let i = 0; i < 40; i++) {
    const middle = (low + high) / 2;
    const share = sizes.reduce((total, size) => total + within(middle / size), 0) / sizes.length;
    if (share < 0.5) low = middle;
    else high = middle;
  }
  return low / 0.67449;
}

function addVision(shape, loud, draw, add) {
  const { width: W, patch } = shape,
    H = mlpHidden(shape);
  const norm = (name, size, times) => {
    const gains = draw(`${name}.weight`, size);
    if (times !== 1) for (const c of loud) gains[c] = toBf16(times);
    add(`${name}.weight`, [size], { kind: "values", values: gains });
    add(`${name}.bias`, [size], normal(BIAS));
  };
  const size = Math.sqrt(GAIN_ENERGY); // of a value after a norm
  add("cls_token", [1, 1, W], normal(0.5));
  add("pos_embed", [1, 1 + patches(shape), W], normal(0.5));
  add("patch_embed.proj.weight", [W, 3, patch, patch], normal(0.8 / Math.sqrt(3 * patch * patch)));
  add("patch_embed.proj.bias", [W], normal(BIAS));
  for (let i = 0; i < shape.visionLayers; i++) {
    const block = `blocks.${i}.`;
    const times = LOUD ** Math.min(1, i / LOUD_FROM_LAYER);
    const energy = GAIN_ENERGY * (LOUD_CHANNELS * times ** 2 + W - LOUD_CHANNELS);
    norm(`${block}norm1`, W, times);
    for (const part of ["q_proj", "k_proj", "v_proj"])
      add(`${block}attn.${part}.weight`, [W, W], normal(VISION_SCORES / Math.sqrt(energy)));
    add(`${block}attn.q_bias`, [W], normal(BIAS));
    add(`${block}attn.v_bias`, [W], normal(BIAS));
    norm(`${block}attn.inner_attn_ln`, W, 1);
    add(`${block}attn.proj.weight`, [W, W], normal(VISION_ADDED / (size * Math.sqrt(W))));
    add(`${block}attn.proj.bias`, [W], normal(BIAS * VISION_ADDED));
    norm(`${block}norm2`, W, times);
    for (const part of ["w1", "w2"]) {
      add(`${block}mlp.${part}.weight`, [H, W], normal(VISION_GATE / Math.sqrt(energy)));
      add(`${block}mlp.${part}.bias`, [H], normal(BIAS));
    }
    norm(`${block}mlp.ffn_ln`, H, 1);
    add(`${block}mlp.w3.weight`, [W, H], normal(VISION_ADDED / (size * Math.sqrt(H))));
    add(`${block}mlp.w3.bias`, [W], normal(BIAS * VISION_ADDED));
  }
  norm("norm", W, 1);
}

// The two towers of the model as ONNX graphs with random weights, in the shape of tools/fullsize/shape.mjs. As in the published
// export the adapter is folded in, texts are padded (id 1) and masked, and one graph may hold both towers.
import { mlpHidden } from "../../../tools/fullsize/shape.mjs";
import { Graph } from "./graph.mjs";
import { Layers } from "./layers.mjs";

const PAD = 1,
  MASKED = -10000;
const TEXT_EPSILON = 1e-5,
  VISION_EPSILON = 1e-6;
const TEXT_BASE = 20000,
  VISION_BASE = 10000,
  ROPE_REFERENCE = 16;

/** A Graph of `towers` (["text"], ["vision"] or both) in `dtype`; texts of at most `maxTokens`. */
export function makeModel(shape, towers, dtype, maxTokens = 512) {
  const graph = new Graph(`towers_${towers.join("_")}`);
  const layers = new Layers(graph, dtype);
  if (towers.includes("text")) addText(layers, shape, maxTokens);
  if (towers.includes("vision")) addVision(layers, shape);
  return graph;
}

function addText(layers, shape, maxTokens) {
  const { graph } = layers;
  const { hidden, textHeads: heads, intermediate } = shape;
  const dim = hidden / heads;
  const ids = graph.input("input_ids", "int64", ["batch", "tokens"]);
  const padded = graph.op("Equal", [ids, graph.ints([PAD])]);
  const mask = graph.op("Unsqueeze", [
    graph.op("Where", [padded, graph.scalar(MASKED), graph.scalar(0)]),
    graph.ints([1, 2]),
  ]);
  const tables = textRotary(graph, ids, maxTokens, dim);

  let x = layers.lookUp(ids, shape.vocab, hidden);
  x = graph.op("Add", [x, graph.floats(new Float32Array(hidden).fill(0.01))]);
  x = layers.norm(x, hidden, TEXT_EPSILON);
  for (let layer = 0; layer < shape.textLayers; layer++) {
    const [q, k, v] = graph
      .op("Split", [layers.linear(x, hidden, 3 * hidden)], { axis: -1 }, { outputs: 3 })
      .map((part) => layers.toHeads(part, heads, dim));
    const rotate = (part) => rotated(graph, part, halfTurned(graph, part), tables);
    const mixed = layers.linear(
      layers.attention(rotate(q), rotate(k), v, heads, dim, mask),
      hidden,
      hidden,
    );
    x = layers.norm(graph.op("Add", [x, mixed]), hidden, TEXT_EPSILON);
    const inner = layers.linear(
      layers.gelu(layers.linear(x, hidden, intermediate)),
      intermediate,
      hidden,
    );
    x = layers.norm(graph.op("Add", [x, inner]), hidden, TEXT_EPSILON);
  }
  const counted = graph.op("Unsqueeze", [
    graph.op("Where", [padded, graph.scalar(0), graph.scalar(1)]),
    graph.ints([2]),
  ]);
  const sum = graph.op("ReduceSum", [graph.op("Mul", [x, counted]), graph.ints([1])], {
    keepdims: 0,
  });
  const count = graph.op("ReduceSum", [counted, graph.ints([1])], { keepdims: 0 });
  graph.output("l2norm_text_embeddings", layers.unit(graph.op("Div", [sum, count])), "float32", [
    "batch",
    hidden,
  ]);
}

// Rows 0 … tokens - 1 of the tables of cos and sin, [tokens, dim].
function textRotary(graph, ids, maxTokens, dim) {
  const tokens = graph.op("Slice", [graph.op("Shape", [ids]), graph.ints([1]), graph.ints([2])]);
  return [Math.cos, Math.sin].map((of) => {
    const table = new Float32Array(maxTokens * dim);
    for (let p = 0; p < maxTokens; p++) {
      for (let c = 0; c < dim; c++)
        table[p * dim + c] = of(p * TEXT_BASE ** ((-2 * (c % (dim / 2))) / dim));
    }
    return graph.op("Slice", [
      graph.floats(table, [maxTokens, dim]),
      graph.ints([0]),
      tokens,
      graph.ints([0]),
    ]);
  });
}

const rotated = (graph, x, turned, [cos, sin]) =>
  graph.op("Add", [graph.op("Mul", [x, cos]), graph.op("Mul", [turned, sin])]);

// (a, b) → (-b, a), a and b being the halves of a head
function halfTurned(graph, x) {
  const [a, b] = graph.op("Split", [x], { axis: -1 }, { outputs: 2 });
  return graph.op("Concat", [graph.op("Neg", [b]), a], { axis: -1 });
}

// (a, b) → (-b, a) for neighbours a, b
function neighboursTurned(graph, x, dim) {
  const [a, b] = graph.op(
    "Split",
    [graph.op("Reshape", [x, graph.ints([0, 0, 0, dim / 2, 2])])],
    { axis: -1 },
    { outputs: 2 },
  );
  return graph.op("Reshape", [
    graph.op("Concat", [graph.op("Neg", [b]), a], { axis: -1 }),
    graph.ints([0, 0, 0, dim]),
  ]);
}

function addVision(layers, shape) {
  const { graph } = layers;
  const { width, headWidth: dim, imageSize, patch } = shape;
  const heads = width / dim,
    inner = mlpHidden(shape),
    grid = Math.floor(imageSize / patch);
  const pixels = graph.input("pixel_values", "float32", ["images", 3, imageSize, imageSize]);
  const tables = visionRotary(graph, grid, dim);
  const rows = (x, from, to) =>
    graph.op("Slice", [x, graph.ints([from]), graph.ints([to]), graph.ints([2])]);
  const rotate = (x) => {
    const rest = rows(x, 1, 1 + grid * grid);
    return graph.op(
      "Concat",
      [rows(x, 0, 1), rotated(graph, rest, neighboursTurned(graph, rest, dim), tables)],
      { axis: 2 },
    );
  };

  const patches = graph.op("Reshape", [
    layers.patches(pixels, width, patch),
    graph.ints([0, width, grid * grid]),
  ]);
  const images = graph.op("Slice", [graph.op("Shape", [pixels]), graph.ints([0]), graph.ints([1])]);
  const first = graph.op("Expand", [
    graph.floats(new Float32Array(width).fill(0.1), [1, 1, width]),
    graph.op("Concat", [images, graph.ints([1]), graph.ints([width])], { axis: 0 }),
  ]);
  let x = graph.op("Concat", [first, graph.op("Transpose", [patches], { perm: [0, 2, 1] })], {
    axis: 1,
  });
  x = graph.op("Add", [
    x,
    graph.floats(new Float32Array((1 + grid * grid) * width).fill(0.01), [
      1,
      1 + grid * grid,
      width,
    ]),
  ]);
  for (let layer = 0; layer < shape.visionLayers; layer++) {
    const y = layers.norm(x, width, VISION_EPSILON);
    const [q, k, v] = [true, false, true].map((bias) =>
      layers.toHeads(layers.linear(y, width, width, { bias }), heads, dim),
    );
    const mixed = layers.norm(
      layers.attention(rotate(q), rotate(k), v, heads, dim),
      width,
      VISION_EPSILON,
    );
    x = graph.op("Add", [x, layers.linear(mixed, width, width)]);
    const z = layers.norm(x, width, VISION_EPSILON);
    const gated = graph.op("Mul", [
      layers.silu(layers.linear(z, width, inner)),
      layers.linear(z, width, inner),
    ]);
    x = graph.op("Add", [
      x,
      layers.linear(layers.norm(gated, inner, VISION_EPSILON), inner, width),
    ]);
  }
  const token = graph.op("Squeeze", [
    graph.op("Slice", [
      layers.norm(x, width, VISION_EPSILON),
      graph.ints([0]),
      graph.ints([1]),
      graph.ints([1]),
    ]),
    graph.ints([1]),
  ]);
  graph.output("l2norm_image_embeddings", layers.unit(token), "float32", ["images", width]);
}

// [grid², dim]: the first half of a head turns by the row, the second by the column, neighbours by the same angle.
function visionRotary(graph, grid, dim) {
  return [Math.cos, Math.sin].map((of) => {
    const table = new Float32Array(grid * grid * dim);
    for (let p = 0; p < grid * grid; p++) {
      for (let c = 0; c < dim; c++) {
        const place = c < dim / 2 ? Math.floor(p / grid) : p % grid;
        const pair = Math.floor((c % (dim / 2)) / 2);
        table[p * dim + c] = of(
          (place / grid) * ROPE_REFERENCE * VISION_BASE ** ((-4 * pair) / dim),
        );
      }
    }
    return graph.floats(table, [grid * grid, dim]);
  });
}

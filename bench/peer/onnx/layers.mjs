// The layers that the towers are made of, as the exporter and the quantiser of the ONNX runtime's users write them:
//   q8   what transformers.js's quantize.py makes of a graph with a convolution: products with constants become
//        DynamicQuantizeLinear + MatMulInteger (uint8 weights, one scale a tensor) + Cast + Mul; looked-up rows uint8
//   q4   MatMulNBits of the runtime, blocks of 32, symmetric; looked-up rows stay float32
// Products of two activations (attention) stay float32 in both.
import { BYTE_SIGMA, NIBBLE_SIGMA, randomBytes, randomFloats } from "./random.mjs";

const NIBBLE_BLOCK = 32;
const ZERO_POINT = 128;
export const DTYPES = ["q8", "q4"];

export class Layers {
  #quantized = new Map(); // value → its quantised form, shared by all products that read it

  constructor(graph, dtype) {
    if (!DTYPES.includes(dtype)) throw new Error(`dtype ${dtype}: ${DTYPES.join(" or ")}`);
    this.graph = graph;
    this.dtype = dtype;
  }

  /** x [..., columns] → [..., rows], with or without a bias. */
  linear(x, columns, rows, { bias = true } = {}) {
    const product =
      this.dtype === "q8" ? this.#linearQ8(x, columns, rows) : this.#linearQ4(x, columns, rows);
    return bias ? this.graph.op("Add", [product, this.#bias(rows)]) : product;
  }

  #bias(rows) {
    return this.graph.tensor("float32", [rows], randomFloats(rows, 0.02));
  }

  #quantize(x) {
    if (!this.#quantized.has(x))
      this.#quantized.set(x, this.graph.op("DynamicQuantizeLinear", [x], {}, { outputs: 3 }));
    return this.#quantized.get(x);
  }

  #linearQ8(x, columns, rows) {
    const { graph } = this;
    const [values, scale, zero] = this.#quantize(x);
    const weight = graph.tensor("uint8", [columns, rows], randomBytes(columns * rows));
    const product = graph.op("MatMulInteger", [values, weight, zero, graph.byte(ZERO_POINT)]);
    return this.#scaled(product, scale, 1 / (Math.sqrt(columns) * BYTE_SIGMA));
  }

  #scaled(product, scale, weightScale) {
    const { graph } = this;
    const both = graph.op("Mul", [scale, graph.floats([weightScale], [])]);
    return graph.op("Mul", [graph.op("Cast", [product], { to: 1 }), both]);
  }

  #linearQ4(x, columns, rows) {
    const { graph } = this;
    const blocks = Math.ceil(columns / NIBBLE_BLOCK);
    const weight = graph.tensor(
      "uint8",
      [rows, blocks, NIBBLE_BLOCK / 2],
      randomBytes(rows * blocks * (NIBBLE_BLOCK / 2)),
    );
    const scales = graph.floats(
      new Float32Array(rows * blocks).fill(1 / (Math.sqrt(columns) * NIBBLE_SIGMA)),
    );
    return graph.op(
      "MatMulNBits",
      [x, weight, scales],
      { K: columns, N: rows, bits: 4, block_size: NIBBLE_BLOCK },
      { domain: "com.microsoft" },
    );
  }

  /** Rows of a table: ids [...] → [..., columns]. */
  lookUp(ids, rows, columns) {
    const { graph } = this;
    if (this.dtype === "q4")
      return graph.op("Gather", [
        graph.tensor("float32", [rows, columns], randomFloats(rows * columns, 0.05)),
        ids,
      ]);
    const table = graph.tensor("uint8", [rows, columns], randomBytes(rows * columns));
    return graph.op("DequantizeLinear", [
      graph.op("Gather", [table, ids]),
      graph.floats([0.05 / BYTE_SIGMA], []),
      graph.byte(ZERO_POINT),
    ]);
  }

  /** The convolution of patches: [batch, 3, size, size] → [batch, width, grid, grid]. */
  patches(pixels, width, patch) {
    const { graph } = this;
    const dims = [width, 3, patch, patch],
      inputs = 3 * patch * patch;
    const form = { kernel_shape: [patch, patch], strides: [patch, patch] };
    if (this.dtype === "q4")
      return graph.op(
        "Conv",
        [
          pixels,
          graph.tensor("float32", dims, randomFloats(width * inputs, 1 / Math.sqrt(inputs))),
          this.#bias(width),
        ],
        form,
      );
    const [values, scale, zero] = this.#quantize(pixels);
    const weight = graph.tensor("uint8", dims, randomBytes(width * inputs));
    const product = graph.op("ConvInteger", [values, weight, zero, graph.byte(ZERO_POINT)], form);
    const bias = graph.tensor("float32", [1, width, 1, 1], randomFloats(width, 0.02));
    return graph.op("Add", [
      this.#scaled(product, scale, 1 / (Math.sqrt(inputs) * BYTE_SIGMA)),
      bias,
    ]);
  }

  norm(x, columns, epsilon) {
    const { graph } = this;
    const gain = graph.floats(new Float32Array(columns).fill(1));
    const shift = graph.floats(new Float32Array(columns));
    return graph.op("LayerNormalization", [x, gain, shift], {
      axis: -1,
      epsilon: { float: epsilon },
    });
  }

  /** The exact GELU, as exporters write it. */
  gelu(x) {
    const { graph } = this;
    const erf = graph.op("Erf", [graph.op("Div", [x, graph.scalar(Math.SQRT2)])]);
    return graph.op("Mul", [
      graph.op("Mul", [x, graph.op("Add", [erf, graph.scalar(1)])]),
      graph.scalar(0.5),
    ]);
  }

  silu(x) {
    return this.graph.op("Mul", [x, this.graph.op("Sigmoid", [x])]);
  }

  /** [batch, tokens, heads · dim] → [batch, heads, tokens, dim] */
  toHeads(x, heads, dim) {
    return this.graph.op(
      "Transpose",
      [this.graph.op("Reshape", [x, this.graph.ints([0, 0, heads, dim])])],
      { perm: [0, 2, 1, 3] },
    );
  }

  /** softmax(q kᵀ / √dim + mask) v, back in [batch, tokens, heads · dim]. `mask`: "" or a name. */
  attention(q, k, v, heads, dim, mask = "") {
    const { graph } = this;
    let scores = graph.op("MatMul", [q, graph.op("Transpose", [k], { perm: [0, 1, 3, 2] })]);
    scores = graph.op("Mul", [scores, graph.scalar(1 / Math.sqrt(dim))]);
    if (mask) scores = graph.op("Add", [scores, mask]);
    const mixed = graph.op("MatMul", [graph.op("Softmax", [scores], { axis: -1 }), v]);
    return graph.op("Reshape", [
      graph.op("Transpose", [mixed], { perm: [0, 2, 1, 3] }),
      graph.ints([0, 0, heads * dim]),
    ]);
  }

  /** x / ‖x‖ along the last axis. */
  unit(x) {
    return this.graph.op("Div", [x, this.graph.op("ReduceL2", [x], { axes: [-1], keepdims: 1 })]);
  }
}

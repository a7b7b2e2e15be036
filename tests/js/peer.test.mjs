// The tools of bench/peer: the graphs they write, read back, and their arithmetic. Nothing is measured and nothing fetched.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { CASES, median, plan, ratiosOf, turns } from "../../bench/peer/cases.mjs";
import { makeModel } from "../../bench/peer/onnx/towers.mjs";
import { varint } from "../../bench/peer/onnx/protobuf.mjs";
import { spent } from "../../bench/peer/processes.mjs";
import { SMALL, mlpHidden } from "../../tools/fullsize/shape.mjs";

// A message as a Map from field number to its values: BigInt for numbers, Buffer for the rest.
function readMessage(bytes) {
  const fields = new Map();
  let at = 0;
  const number = () => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes[at++];
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  while (at < bytes.length) {
    const key = Number(number()),
      wire = key & 7,
      field = key >> 3;
    let value;
    if (wire === 0) value = number();
    else {
      const length = wire === 5 ? 4 : Number(number());
      assert.ok(wire === 5 || wire === 2, `wire type ${wire}`);
      assert.ok(at + length <= bytes.length, "a field ends past its message");
      value = bytes.subarray(at, at + length);
      at += length;
    }
    fields.set(field, [...(fields.get(field) ?? []), value]);
  }
  return fields;
}

const words = (list) => (list ?? []).map(String);

function readGraph(path) {
  const model = readMessage(readFileSync(path));
  const graph = readMessage(model.get(7)[0]);
  const nodes = graph
    .get(1)
    .map(readMessage)
    .map((node) => ({
      type: String(node.get(4)[0]),
      inputs: words(node.get(1)),
      outputs: words(node.get(2)),
    }));
  const tensors = graph
    .get(5)
    .map(readMessage)
    .map((tensor) => ({
      name: String(tensor.get(8)[0]),
      dims: (tensor.get(1) ?? []).map(Number),
      type: Number(tensor.get(2)[0]),
      bytes: tensor.get(9)[0].length,
    }));
  const named = (field) => graph.get(field).map((value) => String(readMessage(value).get(1)[0]));
  const opsets = model
    .get(8)
    .map(readMessage)
    .map((opset) => [words(opset.get(1)).join(), Number(opset.get(2)[0])]);
  return { nodes, tensors, inputs: named(11), outputs: named(12), opsets };
}

const bytesOfType = { 1: 4, 2: 1, 3: 1, 6: 4, 7: 8 };

for (const dtype of ["q8", "q4"]) {
  test(`the peer's graph in ${dtype}, read back`, () => {
    const folder = mkdtempSync(join(tmpdir(), "clipglot-onnx-"));
    try {
      const path = join(folder, "model.onnx");
      makeModel(SMALL, ["text", "vision"], dtype).write(path);
      const { nodes, tensors, inputs, outputs, opsets } = readGraph(path);
      assert.deepEqual(inputs, ["input_ids", "pixel_values"]);
      assert.deepEqual(outputs, ["l2norm_text_embeddings", "l2norm_image_embeddings"]);
      assert.deepEqual(opsets, [
        ["", 17],
        ["com.microsoft", 1],
      ]);
      // Each value is made once, before it is read.
      const made = new Set(["", ...inputs, ...tensors.map(({ name }) => name)]);
      for (const node of nodes) {
        for (const name of node.inputs) assert.ok(made.has(name), `${node.type} reads ${name}`);
        for (const name of node.outputs)
          assert.ok(!made.has(name) && made.add(name), `${node.type} makes ${name} again`);
      }
      for (const name of outputs) assert.ok(made.has(name));
      for (const { name, dims, type, bytes } of tensors)
        assert.equal(
          bytes,
          dims.reduce((product, n) => product * n, bytesOfType[type]),
          name,
        );
      // Linear layers: 4 a text layer, 7 an image layer.
      const count = (type) => nodes.filter((node) => node.type === type).length;
      assert.equal(
        count(dtype === "q8" ? "MatMulInteger" : "MatMulNBits"),
        4 * SMALL.textLayers + 7 * SMALL.visionLayers,
      );
      assert.equal(
        count("LayerNormalization"),
        1 + 2 * SMALL.textLayers + 4 * SMALL.visionLayers + 1,
      );
      assert.equal(count("Softmax"), SMALL.textLayers + SMALL.visionLayers);
      assert.equal(count("MatMul"), 2 * (SMALL.textLayers + SMALL.visionLayers));
      // q, k and v of an image layer share one quantised input.
      if (dtype === "q8")
        assert.equal(
          count("DynamicQuantizeLinear"),
          4 * SMALL.textLayers + 4 * SMALL.visionLayers + 1,
        );
      const wide = mlpHidden(SMALL);
      if (dtype === "q4")
        assert.ok(
          tensors.some(
            ({ dims }) => dims.join() === [SMALL.width, Math.ceil(wide / 32), 16].join(),
          ),
        );
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
}

test("numbers of protocol buffers", () => {
  assert.deepEqual([...varint(0)], [0]);
  assert.deepEqual([...varint(300)], [0xac, 2]);
  assert.deepEqual([...varint(2 ** 40)], [0x80, 0x80, 0x80, 0x80, 0x80, 0x20]);
  assert.deepEqual([...varint(-1)], [...Array(9).fill(0xff), 1]);
});

test("who meets whom", () => {
  const all = plan({
    places: ["chromium", "native"],
    dtypes: ["q8"],
    threads: [1, 2],
    variants: ["simd", "relaxed-simd"],
    cases: CASES.map(({ name }) => name),
  });
  assert.equal(all.length, 8);
  assert.deepEqual(
    all[1].systems.map(({ name, variant }) => [name, variant]),
    [
      ["simd", "simd-threads"],
      ["relaxed-simd", "relaxed-simd-threads"],
      ["onnxruntime-web", undefined],
    ],
  );
  assert.deepEqual(
    all.at(-1).systems.map(({ kind }) => kind),
    ["native", "peer-native"],
  );
  assert.deepEqual(
    all[2].cases.map(({ name }) => name),
    ["image"],
  );
  assert.equal(
    plan({ places: ["node"], dtypes: ["q8"], threads: [1], variants: ["simd"], cases: ["image"] })
      .length,
    1,
  );
});

test("builds of ours beside the same builds of other folders", () => {
  const meetings = plan({
    places: ["chromium"],
    dtypes: ["q8"],
    threads: [2],
    variants: ["simd", "relaxed-simd"],
    cases: ["8"],
    bases: ["before", "long before"],
  });
  assert.deepEqual(
    meetings.map(({ systems }) => systems.map(({ variant, dist }) => [variant, dist])),
    ["simd-threads", "relaxed-simd-threads"].map((variant) => [
      [variant, undefined],
      [variant, "base-1"],
      [variant, "base-2"],
    ]),
  );
});

test("turns: each system once a round, none always first", () => {
  const rounds = Array.from({ length: 6 }, (_, round) => turns(3, round));
  for (const order of rounds) assert.deepEqual([...order].sort(), [0, 1, 2]);
  assert.deepEqual(new Set(rounds.map(([first]) => first)), new Set([0, 1, 2]));
  assert.deepEqual(
    [turns(2, 0), turns(2, 1)],
    [
      [0, 1],
      [1, 0],
    ],
  );
});

test("ratios are of pairs", () => {
  assert.equal(median([3, 1, 2]), 2);
  assert.equal(median([4, 1, 2, 3]), 2.5);
  assert.deepEqual(ratiosOf([1, 2, 4], [2, 2, 12]), { median: 2, least: 1, most: 3 });
  assert.deepEqual(
    spent(
      new Map([
        ["1", 5],
        ["2", 5],
      ]),
      new Map([
        ["1", 6],
        ["2", 9],
        ["3", 2],
      ]),
    ),
    { busiest: 4, all: 7 },
  );
});

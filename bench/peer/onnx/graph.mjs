// An ONNX graph under construction, and its file. Field numbers are those of onnx.proto.
import { closeSync, openSync, renameSync, writeSync } from "node:fs";
import { bytesOf, float, integer, message, string } from "./protobuf.mjs";

const TYPES = { float32: 1, uint8: 2, int8: 3, int32: 6, int64: 7 };
const ATTRIBUTE = { float: 1, int: 2, ints: 7 };
const IR_VERSION = 8,
  OPSET = 17;
const WRITE_TOGETHER = 1 << 16;

export class Graph {
  #nodes = [];
  #initializers = [];
  #inputs = [];
  #outputs = [];
  #count = 0;
  #constants = new Map();

  constructor(name) {
    this.name = name;
  }

  /** `dims`: numbers, or names for lengths that are open. Gives the name. */
  input(name, type, dims) {
    this.#inputs.push(valueInfo(11, name, type, dims));
    return name;
  }

  output(name, value, type, dims) {
    this.op("Identity", [value], {}, { outputs: [name] });
    this.#outputs.push(valueInfo(12, name, type, dims));
  }

  /**
   * Adds a node. `inputs`: names, "" for one that is left out; `attributes`: integers, lists of integers, or { float }. Gives the name of
   * its output, or the list of them when `outputs` is a number.
   */
  op(type, inputs, attributes = {}, { outputs = undefined, domain = "" } = {}) {
    const id = this.#count++;
    const names = Array.isArray(outputs)
      ? outputs
      : Array.from({ length: outputs ?? 1 }, (_, i) => `${type}_${id}_${i}`);
    this.#nodes.push(
      message(1, [
        ...inputs.flatMap((name) => string(1, name)),
        ...names.flatMap((name) => string(2, name)),
        ...string(3, `${type}_${id}`),
        ...string(4, type),
        ...Object.entries(attributes).flatMap(([name, value]) =>
          message(5, attribute(name, value)),
        ),
        ...(domain ? string(7, domain) : []),
      ]),
    );
    return outputs === undefined ? names[0] : names;
  }

  /** A constant tensor; `part`: its little-endian bytes (see protobuf.mjs). Gives its name. */
  tensor(type, dims, part) {
    const name = `w_${this.#count++}`;
    this.#initializers.push(
      message(5, [
        ...dims.flatMap((n) => integer(1, n)),
        ...integer(2, TYPES[type]),
        ...string(8, name),
        ...message(9, [part]),
      ]),
    );
    return name;
  }

  floats(values, dims = [values.length]) {
    const data = Float32Array.from(values);
    return this.tensor("float32", dims, Buffer.from(data.buffer));
  }

  /** Small integers, for shapes and axes; the same list gives the same tensor. */
  ints(values) {
    return this.#once(`i${values}`, () =>
      this.tensor("int64", [values.length], Buffer.from(BigInt64Array.from(values, BigInt).buffer)),
    );
  }

  scalar(value) {
    return this.#once(`f${value}`, () => this.floats([value], []));
  }

  byte(value) {
    return this.#once(`b${value}`, () => this.tensor("uint8", [], Buffer.from([value])));
  }

  #once(key, make) {
    if (!this.#constants.has(key)) this.#constants.set(key, make());
    return this.#constants.get(key);
  }

  /** All of the model's file, as parts. */
  parts() {
    const graph = [
      this.#nodes,
      string(2, this.name),
      this.#initializers,
      this.#inputs,
      this.#outputs,
    ].flat(2);
    const opset = (domain, version) =>
      message(8, [...(domain ? string(1, domain) : []), ...integer(2, version)]);
    return [
      ...integer(1, IR_VERSION),
      ...string(2, "clipglot bench"),
      ...message(7, graph),
      ...opset("", OPSET),
      ...opset("com.microsoft", 1),
    ];
  }

  /** Writes the model; it appears under its name only when it is whole. */
  write(path) {
    const file = openSync(`${path}.partial`, "w");
    try {
      let small = [],
        size = 0;
      const flush = () => {
        if (size) writeAll(file, Buffer.concat(small));
        [small, size] = [[], 0];
      };
      for (const piece of bytesOf(this.parts())) {
        small.push(piece);
        size += piece.length;
        if (size >= WRITE_TOGETHER) flush();
      }
      flush();
    } finally {
      closeSync(file);
    }
    renameSync(`${path}.partial`, path);
  }
}

function writeAll(file, bytes) {
  for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done);
}

function attribute(name, value) {
  const kind = Array.isArray(value) ? "ints" : typeof value === "object" ? "float" : "int";
  const content = {
    ints: () => value.flatMap((n) => integer(8, n)),
    float: () => float(2, value.float),
    int: () => integer(3, value),
  }[kind]();
  return [...string(1, name), ...content, ...integer(20, ATTRIBUTE[kind])];
}

function valueInfo(field, name, type, dims) {
  const shape = dims.flatMap((n) =>
    message(1, typeof n === "number" ? integer(1, n) : string(2, n)),
  );
  const tensor = [...integer(1, TYPES[type]), ...message(2, shape)];
  return message(field, [...string(1, name), ...message(2, message(1, tensor))]);
}

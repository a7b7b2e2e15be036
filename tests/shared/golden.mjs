// The golden set in tests/data/golden-a: a small model with random weights, and what the upstream code gives for it.

/** `read(path)`: bytes of a file below tests/data/golden-a/. */
export async function readGolden(read) {
  const expected = JSON.parse(new TextDecoder().decode(await read("expected.json")));
  const file = await read("expected.safetensors");
  const view = new DataView(file.buffer, file.byteOffset);
  const headerBytes = Number(view.getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(file.subarray(8, 8 + headerBytes)));
  const tensor = (name) => {
    const {
      dtype,
      shape,
      data_offsets: [from, to],
    } = header[name];
    const bytes = file.slice(8 + headerBytes + from, 8 + headerBytes + to);
    return { shape, data: dtype === "F32" ? new Float32Array(bytes.buffer) : bytes };
  };
  /** Row i of a matrix. */
  const row = (name, i) => {
    const { shape, data } = tensor(name);
    return data.subarray(i * shape[1], (i + 1) * shape[1]);
  };
  const text = (name) => expected.texts.findIndex((entry) => entry.name === name);
  const image = (name) => expected.images.findIndex((entry) => entry.file === name);
  return { expected, tensor, row, text, image };
}

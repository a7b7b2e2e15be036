// Objects with Maps and typed arrays as bytes, which another version of Node reads (node:v8's own form changes with V8).
const types = { Float32Array, Int32Array, Int8Array, Uint8Array };

/** Bytes of `value`. */
export const pack = (value) =>
  JSON.stringify(value, (_, item) => {
    if (item instanceof Map) return { map: [...item] };
    if (ArrayBuffer.isView(item)) {
      const bytes = Buffer.from(item.buffer, item.byteOffset, item.byteLength);
      return { type: item.constructor.name, bytes: bytes.toString("base64") };
    }
    return item;
  });

/** The value that pack() was given. */
export const unpack = (text) =>
  JSON.parse(text, (_, item) => {
    if (Array.isArray(item?.map)) return new Map(item.map);
    if (!(item?.type in types)) return item;
    const bytes = new Uint8Array(Buffer.from(item.bytes, "base64"));
    return new types[item.type](bytes.buffer);
  });

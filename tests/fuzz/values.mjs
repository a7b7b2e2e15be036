// The values of the fuzzer: by name, so that a list of steps is plain data that can be printed, shrunk and run again.
import vm from "node:vm";

const realm = vm.createContext({});
const other = (code) => vm.runInContext(code, realm);
const boom = (what) => {
  throw new Error(`${what} of a hostile object`);
};

function revoked(target) {
  const { proxy, revoke } = Proxy.revocable(target, {});
  revoke();
  return proxy;
}
function detached(view) {
  structuredClone(view.buffer, { transfer: [view.buffer] });
  return view;
}
function quiet(promise) {
  promise.catch(() => {});
  return promise;
}

/** Makers of values that nobody should give; some are right for some argument. */
export const junk = {
  undefined: () => undefined,
  null: () => null,
  true: () => true,
  false: () => false,
  zero: () => 0,
  minusZero: () => -0,
  minusOne: () => -1,
  one: () => 1,
  half: () => 0.5,
  nan: () => NaN,
  infinity: () => Infinity,
  int32: () => 2 ** 31 - 1,
  above32: () => 2 ** 32,
  large: () => 2 ** 53,
  bigint: () => 10n,
  hugeBigint: () => 2n ** 200n,
  symbol: () => Symbol("s"),
  empty: () => "",
  letter: () => "x",
  surrogate: () => "a\ud800",
  nul: () => "a\0b",
  long: () => "wort ".repeat(3000),
  tooLong: () => "a".repeat((16 << 20) + 1),
  path: () => "/nowhere/at/all",
  hub: () => "org/name",
  badUrl: () => "http://",
  badFile: () => "file://host/%2F",
  scheme: () => "blob:x",
  function: () => () => 7,
  throwing: () => () => boom("call"),
  asyncThrowing: () => async () => boom("call"),
  revokedFunction: () => revoked(() => {}),
  class: () => class {},
  object: () => ({}),
  array: () => [],
  arrayOfOne: () => [1],
  arrayOfNull: () => [null],
  sparse: () => [, "a"],
  hugeSparse: () => new Array(4e9),
  nested: () => [["a"]],
  frozen: () => Object.freeze({}),
  nullPrototype: () => Object.create(null),
  arrayLike: () => ({ length: 2, 0: "a", 1: "b" }),
  negativeLength: () => ({ length: -1 }),
  nanLength: () => ({ length: NaN }),
  hugeLength: () => ({ length: 2 ** 53 }),
  date: () => new Date(0),
  badDate: () => new Date(NaN),
  map: () => new Map([["a", 1]]),
  set: () => new Set(["a"]),
  regexp: () => /x/g,
  error: () => new Error("given"),
  rejected: () => quiet(Promise.reject(new Error("given"))),
  pending: () => new Promise(() => {}),
  throwingThen: () => ({
    get then() {
      return boom("then");
    },
  }),
  callingThen: () => ({
    then() {
      boom("then");
    },
  }),
  throwingGet: () => new Proxy({}, { get: () => boom("get") }),
  throwingKeys: () => new Proxy({}, { ownKeys: () => boom("ownKeys") }),
  throwingHas: () => new Proxy({}, { has: () => boom("has") }),
  revoked: () => revoked({}),
  revokedArray: () => revoked([]),
  throwingLength: () =>
    new Proxy([], { get: (_, name) => (name === "length" ? boom("length") : undefined) }),
  throwingPrimitive: () => ({ [Symbol.toPrimitive]: () => boom("toPrimitive") }),
  throwingString: () => ({ toString: () => boom("toString"), valueOf: () => boom("valueOf") }),
  throwingTag: () => ({
    get [Symbol.toStringTag]() {
      return boom("tag");
    },
  }),
  lyingTag: () => ({ [Symbol.toStringTag]: "ArrayBuffer" }),
  lyingUrl: () => ({ [Symbol.toStringTag]: "URL", href: "http://" }),
  lyingArray: () => ({ [Symbol.toStringTag]: "Float32Array", length: 8 }),
  throwingMembers: () =>
    Object.defineProperties(
      {},
      Object.fromEntries(
        [
          "dimensions",
          "signal",
          "model",
          "k",
          "id",
          "vector",
          "bytes",
          "data",
          "files",
          "list",
          "cache",
          "arrayBuffer",
        ].map((name) => [name, { enumerable: true, get: () => boom(name) }]),
      ),
    ),
  throwingIterator: () => ({ [Symbol.iterator]: () => boom("iterator") }),
  endlessJunk: () =>
    (function* () {
      for (;;) yield 7;
    })(),
  emptyIterator: () => (function* () {})(),
  throwingNext: () => ({ [Symbol.iterator]: () => ({ next: () => boom("next") }) }),
  url: () => new URL("http://127.0.0.1:1/model/"),
  urlOfFile: () => new URL("file:///nowhere/"),
  signal: () => new AbortController().signal,
  aborted: () => AbortSignal.abort(new Error("aborted")),
  controller: () => new AbortController(),
  event: () => new Event("error"),
  noBytes: () => new Uint8Array(0),
  bytes: () => new Uint8Array([255, 216, 255, 0]),
  buffer: () => Buffer.from("GIF89a"),
  arrayBuffer: () => new ArrayBuffer(3),
  detachedBuffer: () => detached(new Uint8Array(4)).buffer,
  detached: () => detached(new Uint8Array(4)),
  shared: () => new SharedArrayBuffer(4),
  resizable: () => new ArrayBuffer(4, { maxByteLength: 8 }),
  dataView: () => new DataView(new ArrayBuffer(4)),
  floats: () => new Float32Array(3),
  detachedFloats: () => detached(new Float32Array(8)),
  nanFloats: () => new Float32Array(8).fill(NaN),
  doubles: () => new Float64Array(8),
  bigints: () => new BigInt64Array(1),
  blob: () => new Blob(["x"]),
  file: () => new File(["x"], "config.json"),
  fakeBlob: () => ({ size: 3, slice: () => ({}), arrayBuffer: async () => new ArrayBuffer(3) }),
  fakeBlobOfFunctions: () => ({
    size: 3,
    name: "config.json",
    slice: () => ({ f() {} }),
    arrayBuffer() {
      return boom("arrayBuffer");
    },
  }),
  pixels: () => ({ data: new Uint8ClampedArray(16), width: 2, height: 2 }),
  wrongPixels: () => ({ data: new Uint8Array(15), width: 2, height: 2 }),
  hugePixels: () => ({ data: new Uint8Array(4), width: 2 ** 40, height: 2 ** 40 }),
  bitmap: () => ({ width: 1, height: 1, close() {} }),
  bytesOfJunk: () => ({ bytes: 7 }),
  throwingBytes: () => ({
    get bytes() {
      return boom("bytes");
    },
  }),
  changingBytes: () => {
    let reads = 0;
    return {
      get bytes() {
        return reads++ ? 7 : new Uint8Array(3);
      },
    };
  },
  item: () => ({ id: "a", vector: new Float32Array(8) }),
  items: () => [
    { id: "a", vector: new Float32Array(8) },
    { id: 7, vector: null },
  ],
  foreignEmbedding: () => ({ vector: new Float32Array(8), modelId: "another" }),
  embeddingWithoutVector: () => ({ vector: undefined, modelId: "fake" }),
  otherArray: () => other("['a']"),
  otherFloats: () => other("new Float32Array(8)"),
  otherBytes: () => other("new Uint8Array(4)"),
  otherObject: () => other("({})"),
  otherError: () => other("new TypeError('other')"),
  global: () => globalThis,
  process: () => process,
  math: () => Math,
  weakMap: () => new WeakMap(),
  generatorFunction: () => function* () {},
  boxed: () => new String("x"),
  boxedNumber: () => new Number(4),
};

/** What a caller may give as the reason of an abort, or throw from a callback. */
export const reasons = {
  error: () => new Error("stop"),
  undefined: () => undefined,
  null: () => null,
  text: () => "stop",
  zero: () => 0,
  nan: () => NaN,
  symbol: () => Symbol("stop"),
  revoked: () => revoked({}),
  throwingThen: () => ({
    get then() {
      return boom("then");
    },
  }),
  throwingMessage: () => ({
    get message() {
      return boom("message");
    },
  }),
  rangeError: () => new RangeError("stop"),
  rejected: () => quiet(Promise.reject(7)),
};

/** Signals that are none of the platform's. */
export const strangeSignals = {
  throwingListen: () => ({
    aborted: false,
    addEventListener: () => boom("addEventListener"),
    removeEventListener() {},
  }),
  throwingUnlisten: () => ({
    aborted: false,
    addEventListener() {},
    removeEventListener: () => boom("removeEventListener"),
  }),
  atOnce: () => ({
    aborted: false,
    reason: "at once",
    addEventListener: (_, listener) => listener(),
    removeEventListener() {},
  }),
  later: () => ({
    aborted: false,
    reason: "later",
    addEventListener: (_, listener) => setTimeout(listener, 1),
    removeEventListener() {},
  }),
  withoutReason: () => ({ aborted: true, addEventListener() {}, removeEventListener() {} }),
  throwingReason: () => ({
    aborted: true,
    get reason() {
      return boom("reason");
    },
    addEventListener() {},
    removeEventListener() {},
  }),
  throwingAborted: () => ({
    get aborted() {
      return boom("aborted");
    },
    addEventListener() {},
    removeEventListener() {},
  }),
  bare: () => ({ aborted: false }),
};

/** Sources that a model may come from; `release` ends what hangs when the run is over. */
export function makeSource(kind, release) {
  const bytes = new Uint8Array(2500).fill(1);
  const good = {
    list: async () => [{ path: "config.json", byteLength: bytes.length }],
    read: async (_, offset, length) => bytes.subarray(offset, offset + length),
  };
  const hang = () => new Promise((_, reject) => release.push(() => reject(new Error("released"))));
  const kinds = {
    good: {},
    empty: { list: async () => [] },
    listThrows: { list: () => boom("list") },
    listRejects: { list: async () => boom("list") },
    listHangs: { list: hang },
    listLies: {
      list: async () => [
        { path: "config.json", byteLength: 1e15 },
        { path: "config.json", byteLength: 3 },
      ],
    },
    listJunk: { list: async () => [7] },
    listRevoked: { list: async () => revoked([]) },
    listThrowingItems: {
      list: async () => [
        {
          get path() {
            return boom("path");
          },
        },
      ],
    },
    listHuge: { list: async () => new Array(4e9) },
    listThenable: {
      list: () => ({
        then(resolve) {
          resolve([{ path: "x", byteLength: 0 }]);
        },
      }),
    },
    listSync: { list: () => [{ path: "x", byteLength: 1 }], read: () => new Uint8Array(1) },
    readThrows: { read: () => boom("read") },
    readRejectsNothing: { read: () => Promise.reject() },
    readHangs: { read: hang },
    readShort: { read: async () => new Uint8Array(1) },
    readJunk: { read: async () => "bytes" },
    readRevoked: { read: async () => revoked(new Uint8Array(1)) },
    readDetached: { read: async (_, __, length) => detached(new Uint8Array(length)) },
    readShared: { read: async (_, __, length) => new Uint8Array(new SharedArrayBuffer(length)) },
    readOther: { read: async (_, __, length) => other(`new Uint8Array(${length})`) },
    readLater: {
      read: async (_, __, length) => {
        await new Promise((resolve) => setTimeout(resolve, 2));
        return new Uint8Array(length);
      },
    },
    readThenThrows: {
      read: () => ({
        get then() {
          return boom("then");
        },
      }),
    },
    corrupt: { list: async () => [{ path: "corrupt", byteLength: 1 }] },
    noRead: { read: undefined },
    badPath: { list: async () => [{ path: "\ud800", byteLength: 4 }] },
  };
  return { ...good, ...kinds[kind] };
}
export const sourceKinds = [
  "good",
  "empty",
  "listThrows",
  "listRejects",
  "listHangs",
  "listLies",
  "listJunk",
  "listRevoked",
  "listThrowingItems",
  "listHuge",
  "listThenable",
  "listSync",
  "readThrows",
  "readRejectsNothing",
  "readHangs",
  "readShort",
  "readJunk",
  "readRevoked",
  "readDetached",
  "readShared",
  "readOther",
  "readLater",
  "readThenThrows",
  "corrupt",
  "noRead",
  "badPath",
];

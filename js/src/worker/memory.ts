// The heap that threads share. Its maximum is set aside when it is made, and phones refuse much: so the largest that the
// device agrees to is looked for. Heaps of one thread need no such thing, since they set nothing aside.

/** As the modules declare it (wasm/CMakeLists.txt); pages are 64 KiB. */
const initialPages = 256;
const gibPages = 16384;
const maxima = [4, 3, 2, 1.5, 1, 0.5].map((gib) => gib * gibPages);

/** Nothing when even the smallest is refused. `make` is for tests. */
export function reserveSharedMemory(
  make = (maximum: number) =>
    new WebAssembly.Memory({ initial: initialPages, maximum, shared: true }),
): WebAssembly.Memory | undefined {
  for (const maximum of maxima) {
    try {
      return make(maximum);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
    }
  }
  return undefined;
}

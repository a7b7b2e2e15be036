// Measures the module of roofline.cc; runs in a page and in Node alike, and imports nothing.
//
// Other programs can slow a run down, never speed it up: the best of many short runs is the figure, by the time that passed or, where
// it can be known, by processor time.
const MEMORY_SIZES = [16 << 10, 512 << 10, 4 << 20, 16 << 20, 128 << 20];

/** `run` again and again for `budget` ms, each time for some 2 ms; gives the least ms of one. */
function best(run, budget, processorMs) {
  let count = 1;
  const time = () => {
    const before = processorMs(), start = performance.now();
    for (let i = 0; i < count; i++) run();
    return Math.min(performance.now() - start, processorMs() - before) / count;
  };
  // The first runs make the engine compile; then long enough for a coarse clock.
  for (let spent = 0; spent < 50;) {
    const each = time();
    spent += each * count;
    count = Math.max(1, Math.ceil(2 / Math.max(each, 1e-6)));
  }
  let least = Infinity;
  const end = performance.now() + budget;
  for (let n = 0; n < 5 || performance.now() < end; n++) least = Math.min(least, time());
  return least;
}

/**
 * `create`: the module's factory; `budget`: ms for each figure; `processorMs`: a clock of processor time, if there is one. Gives
 * { peaks, memory, operators }.
 */
export async function measure(create, budget, processorMs = () => performance.now()) {
  const module = await create();
  const told = (pointer) => JSON.parse(module.UTF8ToString(pointer));
  const peaks = Array.from({ length: module._peak_count() }, (_, i) => {
    const peak = told(module._peak_describe(i)), iterations = 20_000;
    const ms = best(() => module._peak_run(i, iterations), budget, processorMs);
    return { ...peak, perSecond: (peak.operations * iterations * 1e3) / ms };
  });
  const memory = MEMORY_SIZES.map((bytes) => ({ bytes, perSecond: (bytes * 1e3) / best(() => module._memory_read(bytes), budget, processorMs) }));
  module._memory_read(0);
  const operators = [];
  for (let i = 0; i < module._operator_count(); i++) {
    const operator = told(module._operator_make(i));
    if (operator.error) throw new Error(operator.error);
    const code = module._operator_run();
    if (code !== 0) throw new Error(`${operator.name}: status ${code}`);
    operators.push({ ...operator, ms: best(() => module._operator_run(), budget, processorMs) });
  }
  return { peaks, memory, operators };
}

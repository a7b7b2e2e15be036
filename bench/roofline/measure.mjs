// Measures the module of roofline.cc; runs in a page and in Node alike, and imports nothing.
//
// Other programs can slow a run down, never speed it up: the best of many short runs is the figure, by the time that passed or, where
// it can be known, by processor time.
const MEMORY_SIZES = [16 << 10, 512 << 10, 4 << 20, 16 << 20, 128 << 20];

/** `run` again and again for `budget` ms, each time for some 2 ms; gives the least ms of one. */
function best(run, budget, processorMs) {
  let count = 1;
  const time = () => {
    const before = processorMs(),
      start = performance.now();
    for (let i = 0; i < count; i++) run();
    return Math.min(performance.now() - start, processorMs() - before) / count;
  };
  // The first runs make the engine compile; then long enough for a coarse clock.
  for (let spent = 0; spent < 50; ) {
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
    const peak = told(module._peak_describe(i)),
      iterations = 20_000;
    const ms = best(() => module._peak_run(i, iterations), budget, processorMs);
    return { ...peak, perSecond: (peak.operations * iterations * 1e3) / ms };
  });
  const memory = MEMORY_SIZES.map((bytes) => ({
    bytes,
    perSecond: (bytes * 1e3) / best(() => module._memory_read(bytes), budget, processorMs),
  }));
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

/**
 * The layers whose names fit `pattern` in two builds of one variant, turn by turn in one process, `rounds` times: so that whatever else
 * the machine does meets both. Gives [{ name, operations, ms, otherMs, ratio }]: medians; `ratio`: of pairs, other / ours.
 */
export async function compare(create, createOther, pattern, rounds) {
  const builds = [await create(), await createOther()];
  const make = (module, i) => JSON.parse(module.UTF8ToString(module._operator_make(i)));
  const median = (values) => values.sort((a, b) => a - b)[values.length >> 1];
  const found = [];
  for (let i = 0; i < builds[0]._operator_count(); i++) {
    const operator = make(builds[0], i);
    if (!new RegExp(pattern).test(operator.name)) continue;
    let other = 0;
    while (other < builds[1]._operator_count() && make(builds[1], other).name !== operator.name)
      other++;
    if (other === builds[1]._operator_count()) continue;
    const time = (module, count) => {
      const start = performance.now();
      for (let n = 0; n < count; n++) module._operator_run();
      return (performance.now() - start) / count;
    };
    for (const module of builds)
      for (const end = performance.now() + 300; performance.now() < end; ) time(module, 1); // the engine compiles
    const count = Math.max(1, Math.ceil(8 / time(builds[0], 3)));
    const times = [[], []];
    for (let round = 0; round < rounds; round++)
      for (const b of round % 2 ? [1, 0] : [0, 1]) times[b].push(time(builds[b], count));
    found.push({
      ...operator,
      ratio: median(times[1].map((ms, round) => ms / times[0][round])),
      ms: median(times[0]),
      otherMs: median(times[1]),
    });
  }
  return found;
}

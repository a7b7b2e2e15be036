// Speed of single layers of nn, on this machine and in this variant. Prints one JSON line for each
// measurement:
//   {"variant":"native","kernel":"linear","dtype":"q8","rows":32,"in":1024,"out":4096,"threads":1,
//    "ms":2.41,"cpu_ms":2.42,"gops":111.4}
// ms: the best of all repetitions. cpu_ms: processor time of one repetition on average, over all
// threads (0 where it cannot be known). gops: 2·rows·in·out (4·rows²·heads·head_dim for attention,
// elements for the rest) over ms, in 10^9 per second; on one thread over the smaller of ms and
// cpu_ms, since a busy machine lengthens the first but not the second. q8 and q4
// layers include quantising their input.
//
// Arguments: --threads 1,2   --rows 1,32,512   --ms 400 (time spent on each measurement)
//            --only linear|attention|other   --dtype f32|q8|q4 (of linear)
//            --in 1024 --out 4096 (only this shape of linear)
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "nn/nn.h"

#ifdef __EMSCRIPTEN__
#include <emscripten.h>
// clang-format off
EM_JS(double, ProcessCpuMs, (void), {
  return typeof process !== 'undefined' && process.cpuUsage ? process.cpuUsage().user / 1000 : 0;
});
// clang-format on
static double NowMs() { return emscripten_get_now(); }
#else
#include <time.h>
static double ClockMs(clockid_t clock) {
  timespec t = {};
  clock_gettime(clock, &t);
  return static_cast<double>(t.tv_sec) * 1e3 + static_cast<double>(t.tv_nsec) * 1e-6;
}
static double ProcessCpuMs() { return ClockMs(CLOCK_PROCESS_CPUTIME_ID); }
static double NowMs() { return ClockMs(CLOCK_MONOTONIC); }
#endif

namespace clipglot {
namespace {

struct Options {
  std::vector<size_t> threads = {1, 2}, rows = {1, 32, 512};
  size_t in = 0, out = 0;  // 0: all shapes
  double ms = 400;
  std::string only, dtype;
};

struct Timing {
  double ms = 0, cpu_ms = 0;
};

template <typename Work>
Timing Measure(double budget_ms, const Work& work) {
  work();  // warm: pages touched, code compiled
  Timing best = {.ms = 1e30};
  const double start = NowMs(), cpu_start = ProcessCpuMs();
  int runs = 0;
  do {
    const double before = NowMs();
    work();
    best.ms = std::min(best.ms, NowMs() - before);
    ++runs;
  } while (runs < 3 || NowMs() - start < budget_ms);
  best.cpu_ms = (ProcessCpuMs() - cpu_start) / runs;
  return best;
}

void Report(const std::string& what, size_t threads, Timing t, double operations) {
  double ms = t.ms;
  if (threads == 1 && t.cpu_ms > 0) ms = std::min(ms, t.cpu_ms);
  std::printf("{\"variant\":\"%s\",%s,\"threads\":%zu,\"ms\":%.4f,\"cpu_ms\":%.4f,\"gops\":%.1f}\n",
              CLIPGLOT_VARIANT, what.c_str(), threads, t.ms, t.cpu_ms, operations * 1e-6 / ms);
  std::fflush(stdout);
}

[[noreturn]] void Fail(const Status& status) {
  std::fprintf(stderr, "%s: %s\n", std::string(CodeName(status.code())).c_str(),
               status.detail().c_str());
  std::exit(1);
}
void Must(const Status& status) {
  if (!status.ok()) Fail(status);
}
template <typename T>
T Must(Result<T> result) {
  if (!result.ok()) Fail(result.status());
  return *std::move(result);
}

AlignedBuffer RandomFloats(size_t count, std::mt19937& random) {
  auto buffer = Must(AlignedBuffer::TryAllocateArray<float>(count, "bench"));
  for (float& v : buffer.as<float>()) v = static_cast<float>(random() % 2001) / 1000.0f - 1.0f;
  return buffer;
}

Matrix RandomMatrix(WeightFormat format, size_t out, size_t in, std::mt19937& random) {
  Matrix m;
  m.format = format;
  m.rows = out;
  m.columns = in;
  if (format == WeightFormat::kF32) {
    m.values = RandomFloats(out * in, random);
  } else if (format == WeightFormat::kInt4Block32) {
    m.values = Must(AlignedBuffer::TryAllocate(out * Q4RowBytes(in), "bench"));
    for (uint8_t& v : m.values.as<uint8_t>()) v = static_cast<uint8_t>(random());
    m.block_scales =
        Must(AlignedBuffer::TryAllocateArray<uint16_t>(out * Q4RowBlocks(in), "bench"));
    for (uint16_t& v : m.block_scales.as<uint16_t>())
      v = static_cast<uint16_t>(0x3A80 + random() % 128);  // 2^-10 ... 2^-9
  } else {
    m.values = Must(AlignedBuffer::TryAllocate(out * in, "bench"));
    // Normal, as trained weights nearly are: speed may depend on it (src/nn/int8/acc16_weights.h).
    std::normal_distribution<float> normal(0, 127 / 3.5f);
    for (int8_t& v : m.values.as<int8_t>())
      v = static_cast<int8_t>(std::lround(std::clamp(normal(random), -127.0f, 127.0f)));
    m.scales.assign(out, 0.001f);
  }
  return m;
}

void BenchLinear(const Options& options) {
  std::mt19937 random(1);
  for (const WeightFormatTraits& traits : AllWeightFormats()) {
    const std::string name(traits.name);
    if (!options.dtype.empty() && options.dtype != name) continue;
    for (const auto& [in, out] : {std::pair<size_t, size_t>{1024, 3072},
                                  {1024, 4096},
                                  {4096, 1024},
                                  {1024, 5460},
                                  {2730, 1024},
                                  {1024, 1024}}) {
      if (options.in != 0 && (options.in != in || options.out != out)) continue;
      const Linear linear = Must(Linear::Create(RandomMatrix(traits.format, out, in, random), {}));
      for (const size_t rows : options.rows) {
        const AlignedBuffer x = RandomFloats(rows * in, random);
        AlignedBuffer y = Must(AlignedBuffer::TryAllocateArray<float>(rows * out, "bench"));
        for (const size_t threads : options.threads) {
          const auto workspace = Must(Workspace::Create(threads));
          const Timing t = Measure(options.ms, [&] {
            Must(linear.Run(x.as<float>(), rows, y.as<float>(), *workspace));
          });
          char what[200];
          std::snprintf(
              what, sizeof(what),
              "\"kernel\":\"linear\",\"dtype\":\"%s\",\"rows\":%zu,\"in\":%zu,\"out\":%zu",
              name.c_str(), rows, in, out);
          Report(what, threads, t, 2.0 * static_cast<double>(rows * in * out));
        }
      }
    }
  }
}

void BenchAttention(const Options& options) {
  std::mt19937 random(2);
  constexpr size_t kHeads = 16, kDim = 64;
  for (const size_t rows : {size_t{8}, size_t{32}, size_t{128}, size_t{512}, size_t{1297}}) {
    const AlignedBuffer qkv = RandomFloats(rows * 3 * kHeads * kDim, random);
    AlignedBuffer out = Must(AlignedBuffer::TryAllocateArray<float>(rows * kHeads * kDim, "bench"));
    for (const size_t threads : options.threads) {
      const auto workspace = Must(Workspace::Create(threads));
      for (const AttentionArithmetic arithmetic :
           {AttentionArithmetic::kFloat32, AttentionArithmetic::kInt16}) {
        const Timing t = Measure(options.ms, [&] {
          Must(Attention(qkv.as<float>(), rows, kHeads, kDim, {}, arithmetic, out.as<float>(),
                         *workspace));
        });
        char what[200];
        std::snprintf(
            what, sizeof(what),
            "\"kernel\":\"attention\",\"dtype\":\"%s\",\"rows\":%zu,\"heads\":%zu,\"head_dim\":%zu",
            arithmetic == AttentionArithmetic::kFloat32 ? "f32" : "int16", rows, kHeads, kDim);
        Report(what, threads, t, 4.0 * static_cast<double>(rows * rows * kHeads * kDim));
      }
    }
  }
}

// The rest, in elements (gops = 10^9 elements per second).
void BenchOther(const Options& options) {
  std::mt19937 random(3);
  constexpr size_t kRows = 512, kColumns = 1024, kHeads = 16, kDim = 64;
  const AlignedBuffer weight = RandomFloats(kColumns, random);
  const AlignedBuffer x = RandomFloats(kRows * 3 * kColumns, random);
  AlignedBuffer y = RandomFloats(kRows * 3 * kColumns, random);
  const RotaryTable table = TextRotary(kRows, kDim, 20000);
  for (const size_t threads : options.threads) {
    const auto workspace = Must(Workspace::Create(threads));
    const auto report = [&](const char* name, double elements, const auto& work) {
      const Timing t = Measure(options.ms, work);
      Report("\"kernel\":\"" + std::string(name) + "\"", threads, t, elements);
    };
    const double n = kRows * kColumns;
    const auto in = x.as<float>().first(kRows * kColumns);
    const auto out = y.as<float>().first(kRows * kColumns);
    report("layer_norm", n, [&] {
      LayerNorm(in, in, kRows, weight.as<float>(), weight.as<float>(), 1e-5, out, *workspace);
    });
    report("gelu", n, [&] {
      std::copy(in.begin(), in.end(), out.begin());
      Gelu(out, *workspace);
    });
    report("swiglu", n, [&] { SwiGlu(x.as<float>(), kRows, kColumns, y.as<float>(), *workspace); });
    report("add", n, [&] { Add(out, in, *workspace); });
    report("rotate", 2 * n, [&] {
      Rotate(y.as<float>(), kRows, kHeads, kDim, table, RotaryPairing::kHalfSplit, 0, *workspace);
    });
  }
}

std::vector<size_t> ParseList(const char* text) {
  std::vector<size_t> out;
  for (char* end = nullptr; *text != 0; text = *end == ',' ? end + 1 : end) {
    out.push_back(std::strtoul(text, &end, 10));
    if (end == text) std::exit(2);
  }
  return out;
}

int Main(int argc, char** argv) {
  Options options;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string name = argv[i];
    if (name == "--threads") options.threads = ParseList(argv[i + 1]);
    if (name == "--rows") options.rows = ParseList(argv[i + 1]);
    if (name == "--ms") options.ms = std::atof(argv[i + 1]);
    if (name == "--in") options.in = std::strtoul(argv[i + 1], nullptr, 10);
    if (name == "--out") options.out = std::strtoul(argv[i + 1], nullptr, 10);
    if (name == "--only") options.only = argv[i + 1];
    if (name == "--dtype") options.dtype = argv[i + 1];
  }
#if defined(__EMSCRIPTEN__) && !defined(__EMSCRIPTEN_PTHREADS__)
  options.threads = {1};
#endif
  if (options.only.empty() || options.only == "linear") BenchLinear(options);
  if (options.only.empty() || options.only == "attention") BenchAttention(options);
  if (options.only.empty() || options.only == "other") BenchOther(options);
  return 0;
}

}  // namespace
}  // namespace clipglot

int main(int argc, char** argv) { return clipglot::Main(argc, argv); }

// The façade: one loaded model, text and images in, vectors out. With engine/index.h this is the
// whole public surface of the core.
//
// Not thread-safe: one call at a time. Errors come back as values; after any of them (but
// kOutOfMemory or kCorruptModel during loading) the engine works on.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/call_observer.h"
#include "base/profile.h"
#include "base/status.h"
#include "base/weight_format.h"
#include "container/demand.h"

namespace clipglot {

struct EngineOptions {
  bool text = true;  // towers to load
  bool vision = true;
  // Arithmetic for an unquantised checkpoint; a pack has its own.
  WeightFormat format = WeightFormat::kInt8PerRow;
  size_t threads = 1;                // 1 ... 64; builds without threads accept only 1
  size_t max_tokens = 512;           // 2 ... 8192: longest text for which memory is set aside
  uint64_t max_pixels = 64'000'000;  // largest image that is decoded, in pixels
  // Packs may contain a self-test (docs/FORMAT.md): the last Commit embeds its texts and its
  // picture, and fails with kCorruptModel when the vectors are not those of the pack. Costs about
  // one call for each.
  bool self_test = true;
  // The bytes are those of a pack that this process is making, so its files may lack hashes, and
  // its self-test is not known before its end: TestSelf.
  bool unfinished_pack = false;
};

struct VectorOptions {
  size_t dimensions = 0;  // of the vector: its first 1 ... full; 0: full
  bool normalized =
      true;  // unit length; false gives the raw pooled vector and then only the full length
};

struct TextOptions : VectorOptions {
  std::string task;  // "" or "retrieval.query" (puts the model's instruction before the text)
  size_t max_tokens =
      0;  // cut after so many tokens, 2 ... EngineOptions::max_tokens; 0: that maximum
  bool error_when_too_long = false;  // kTooLong instead of a cut
  bool normalize_nfc = false;        // Unicode NFC first (for decomposed file names)
};

struct ImageOptions : VectorOptions {
  bool ignore_orientation = false;  // true: EXIF orientation is not applied, as upstream
  // Patches a side that are read, of a picture made so much smaller: 1 ... the model's own number;
  // 0: that. Fewer are faster and less exact (VisionTower::Scaled).
  size_t grid = 0;
  bool scale_gray16 =
      false;  // 16-bit gray: the high byte; false clips to white above 255, as upstream
};

// Raw pixels: RGBA, 4 bytes a pixel, rows without gaps, alpha ignored.
struct RgbaView {
  std::span<const uint8_t> bytes;
  size_t width = 0, height = 0;
};

struct EmbeddingView {
  std::span<const float> vector;  // owned by the engine, valid until its next call
  size_t tokens = 0;              // tokens read (text), 0 for images
  size_t total_tokens = 0;        // before cutting
  bool truncated = false;
  size_t unknown_tokens =
      0;  // of those read, tokens that stand for what the vocabulary does not have
  // Images: what was wrong with the file and could be passed over; as the vector.
  std::span<const std::string> warnings;
};

// What was loaded, and how it runs.
struct EngineInfo {
  std::string model_id, revision, license;   // of a pack's manifest; license: of the weights
  bool text = false, vision = false;         // towers
  WeightFormat format = WeightFormat::kF32;  // arithmetic of the linear layers
  std::vector<size_t> dimensions;            // lengths the model was trained for, ascending
  size_t full_dimensions = 0;
  size_t max_tokens = 0;  // EngineOptions::max_tokens, or fewer if the model reads fewer
  size_t threads = 1;
  size_t image_size = 0;      // pixels a side, after resizing
  size_t image_grid = 0;      // patches a side
  size_t resident_bytes = 0;  // weights held, packed
};

struct TokenCount {
  size_t tokens = 0;      // <s>, </s> and the instruction included, not cut
  size_t max_tokens = 0;  // what the engine would read at most
};

// Maximum tokens, and texts, that go through the tower together: more would hardly be faster, and
// the next call waits for the running group. A text has at least two tokens, <s> and </s>.
inline constexpr size_t kGroupTokens = 128;
inline constexpr size_t kGroupTexts = kGroupTokens / 2;

class Engine {
 public:
  // Errors: kInvalidArgument naming the option; kOutOfMemory.
  static Result<std::unique_ptr<Engine>> Create(const EngineOptions& options);
  virtual ~Engine() = default;

  // Loading is a conversation: the engine says which bytes it wants, the caller fetches them.
  //   BeginLoad(files); while (auto range = Want()) { auto to = Reserve(); copy the range into *to;
  //   Commit(); }
  // Commit takes the range's SHA-256 (64 lower-case digits) from a caller that has it already; else
  // the engine computes it. `files`: all that the source can give (an upstream checkpoint folder or
  // a pack), any order.
  virtual Status BeginLoad(std::vector<FileEntry> files) = 0;
  virtual std::optional<ByteRange> Want() const = 0;
  virtual Result<std::span<std::byte>> Reserve() = 0;
  virtual Status Commit(std::string_view sha256 = {}) = 0;
  // Tensor bytes to be read in all (0 until known) and read so far.
  virtual uint64_t total_bytes() const = 0;
  virtual uint64_t read_bytes() const = 0;
  virtual bool ready() const = 0;  // loaded completely

  // Runs a self-test that came after the model: `json` is the member `selfTest` of a manifest.
  // Errors: kNotLoaded; kCorruptModel when the vectors are not those of the test: the engine is not
  // ready then.
  virtual Status TestSelf(std::string_view json) = 0;

  virtual EngineInfo Info() const = 0;  // once it is ready

  // Every embedding call can be followed, stopped (kCancelled) and traced by its `context`.
  //
  // `utf8`: the text; empty is valid. Errors: kNotLoaded, kInvalidText, kTooLong, kInvalidArgument,
  // kCancelled; kInternal when a number is not finite.
  virtual Result<EmbeddingView> EmbedText(std::string_view utf8, const TextOptions& options,
                                          const CallContext& context = {}) = 0;
  // As many of the first of `utf8` as go through the tower together: the first of any length, and
  // others as long as all have no more than kGroupTokens (and EngineOptions::max_tokens) tokens.
  // Returns their embeddings, bit-identical to EmbedText's, in order; the vectors are contiguous.
  // The rest is for the next call. Errors are those of EmbedText for the first text; a group
  // ends before another that has one.
  virtual Result<std::span<const EmbeddingView>> EmbedTexts(std::span<const std::string_view> utf8,
                                                            const TextOptions& options,
                                                            const CallContext& context = {}) = 0;
  // `file`: JPEG, PNG, BMP or GIF. Errors: kNotLoaded, kInvalidImage, kInvalidArgument,
  // kOutOfMemory, kCancelled.
  virtual Result<EmbeddingView> EmbedEncodedImage(std::span<const std::byte> file,
                                                  const ImageOptions& options,
                                                  const CallContext& context = {}) = 0;
  virtual Result<EmbeddingView> EmbedPixels(const RgbaView& image, const ImageOptions& options,
                                            const CallContext& context = {}) = 0;
  // A shorter vector from one that was computed before: `vector` (full, raw or of unit length) is
  // cut and normalised as in the embedding calls. Errors: kNotLoaded, kInvalidArgument.
  virtual Result<EmbeddingView> Truncate(std::span<const float> vector,
                                         const VectorOptions& options) = 0;
  virtual Result<TokenCount> CountTokens(std::string_view utf8, const TextOptions& options) = 0;

  // Distinct threads that did work so far (1 without threads).
  virtual size_t threads_seen() const = 0;
  // Once it is started: where the time of embedding calls goes.
  virtual Profile& profile() = 0;
};

}  // namespace clipglot

// Unpacks a zlib stream (RFC 1950) bit by bit as its data comes: zlib's own inflate with memory of
// ours.
//
// Takes: pieces of the stream. Gives: as many bytes as were asked for. PIL unpacks with the same
// code, so a damaged stream (its Adler sum included) ends at the same byte. Holds about 48 KiB. Not
// thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "base/aligned_buffer.h"
#include "base/status.h"
#include "vision/stop_check.h"

namespace clipglot {

class Inflater {
 public:
  enum class State : uint8_t { kGoing, kEnd, kDamaged };
  struct Step {
    size_t written = 0;
    State state = State::kGoing;
  };

  Inflater();
  ~Inflater();
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  // Errors: kOutOfMemory.
  Status Init();

  // The next piece of the stream; the one before must be used up. It must outlive the calls of
  // Unpack.
  void Feed(std::span<const std::byte> piece);
  // Bytes of the piece that were not looked at yet.
  size_t left() const;

  // Writes until `out` is full, the piece is used up or the stream ends. Errors: kCancelled.
  Result<Step> Unpack(std::span<uint8_t> out, StopCheck* stop);

 private:
  struct Stream;
  std::unique_ptr<Stream> stream_;
};

// Longest text that a file may hold packed: PIL's MAX_TEXT_CHUNK.
inline constexpr size_t kMaxPackedText = size_t{1} << 20;

enum class TextState : uint8_t { kWhole, kDamaged, kTooLong };
struct UnpackedText {
  TextState state = TextState::kDamaged;
  AlignedBuffer buffer;
  size_t size = 0;  // bytes of `buffer` that are text; a stream that is cut gives what it holds
  std::span<const std::byte> bytes() const { return buffer.bytes().first(size); }
};
// Unpacks a short stream whole. Errors: kOutOfMemory, kCancelled.
Result<UnpackedText> UnpackText(std::span<const std::byte> packed, StopCheck* stop);

}  // namespace clipglot

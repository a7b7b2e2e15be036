// Where the time of calls goes, by kind of work. Off unless it is started: then each piece of work
// costs two readings of the clock; before, a look at one flag.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace clipglot {

// kInput: tokens, decoding, resizing. kQuantization: activations on their way into an int8 or 4-bit
// product, where that is a step of its own. kOther: what lies between the rest.
enum class ProfileCategory : uint8_t {
  kInput,
  kLinear,
  kQuantization,
  kAttention,
  kRotary,
  kNorm,
  kActivation,
  kOther
};
inline constexpr std::array<std::string_view, 8> kProfileCategoryNames = {
    "input", "linear", "quantization", "attention", "rotary", "norm", "activation", "other"};

// Not thread-safe: scopes open and close on the thread that calls the engine, around work that
// other threads may share.
class Profile {
 public:
  struct Entry {
    uint64_t calls = 0;
    int64_t nanoseconds = 0;  // without the scopes inside
  };
  using Entries = std::array<Entry, kProfileCategoryNames.size()>;

  void Start() { on_ = true; }
  bool on() const { return on_; }
  // What was counted since the last Take, in the order of kProfileCategoryNames.
  Entries Take() {
    const Entries taken = entries_;
    entries_ = {};
    return taken;
  }

 private:
  friend class ProfileScope;
  using Clock = std::chrono::steady_clock;

  Entries entries_{};
  class ProfileScope* innermost_ = nullptr;
  bool on_ = false;
};

// Counts the time from here to the end of the block as `category`; a scope inside takes its time
// away from the outer one.
class ProfileScope {
 public:
  ProfileScope(Profile& profile, ProfileCategory category)
      : profile_(profile.on_ ? &profile : nullptr), category_(category) {
    if (profile_ == nullptr) return;
    begin_ = Profile::Clock::now();
    outer_ = profile_->innermost_;
    profile_->innermost_ = this;
  }
  ~ProfileScope() {
    if (profile_ == nullptr) return;
    const int64_t spent =
        std::chrono::duration_cast<std::chrono::nanoseconds>(Profile::Clock::now() - begin_)
            .count();
    Profile::Entry& entry = profile_->entries_[static_cast<size_t>(category_)];
    ++entry.calls;
    entry.nanoseconds += spent - inside_;
    profile_->innermost_ = outer_;
    if (outer_ != nullptr) outer_->inside_ += spent;
  }
  ProfileScope(const ProfileScope&) = delete;
  ProfileScope& operator=(const ProfileScope&) = delete;

 private:
  Profile* profile_;
  ProfileCategory category_;
  Profile::Clock::time_point begin_{};
  int64_t inside_ = 0;
  ProfileScope* outer_ = nullptr;
};

}  // namespace clipglot

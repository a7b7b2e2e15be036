#include "base/profile.h"

#include <gtest/gtest.h>

#include <thread>

namespace clipglot {
namespace {

const Profile::Entry& Of(const Profile::Entries& entries, ProfileCategory category) {
  return entries[static_cast<size_t>(category)];
}

void Wait() { std::this_thread::sleep_for(std::chrono::milliseconds(2)); }

TEST(Profile, CountsNothingUntilItIsStarted) {
  Profile profile;
  {
    const ProfileScope scope(profile, ProfileCategory::kLinear);
  }
  EXPECT_EQ(Of(profile.Take(), ProfileCategory::kLinear).calls, 0u);
}

TEST(Profile, AnInnerScopeTakesItsTimeFromTheOuterOne) {
  Profile profile;
  profile.Start();
  const auto begin = std::chrono::steady_clock::now();
  {
    const ProfileScope outer(profile, ProfileCategory::kLinear);
    for (int i = 0; i < 2; ++i) {
      const ProfileScope inner(profile, ProfileCategory::kQuantization);
      Wait();
    }
  }
  const int64_t all =
      std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now() - begin)
          .count();
  const Profile::Entries entries = profile.Take();
  const Profile::Entry &outer = Of(entries, ProfileCategory::kLinear),
                       &inner = Of(entries, ProfileCategory::kQuantization);
  EXPECT_EQ(outer.calls, 1u);
  EXPECT_EQ(inner.calls, 2u);
  EXPECT_GE(inner.nanoseconds, 4'000'000);
  EXPECT_GE(outer.nanoseconds, 0);
  EXPECT_LE(inner.nanoseconds + outer.nanoseconds, all);
}

TEST(Profile, ForgetsWhatWasTaken) {
  Profile profile;
  profile.Start();
  {
    const ProfileScope scope(profile, ProfileCategory::kNorm);
  }
  EXPECT_EQ(Of(profile.Take(), ProfileCategory::kNorm).calls, 1u);
  EXPECT_EQ(Of(profile.Take(), ProfileCategory::kNorm).calls, 0u);
}

}  // namespace
}  // namespace clipglot

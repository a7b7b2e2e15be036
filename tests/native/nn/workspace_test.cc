#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <new>
#include <thread>
#include <vector>

#include "nn/runtime/workspace_impl.h"
#include "nn/testing.h"

// Every operator new of this program is counted.
static std::atomic<size_t> news = 0;
void* operator new(size_t size) {
  ++news;
  if (void* pointer = std::malloc(size == 0 ? 1 : size)) return pointer;
  std::abort();
}
void* operator new(size_t size, const std::nothrow_t&) noexcept {
  ++news;
  return std::malloc(size == 0 ? 1 : size);
}
// Not inlined: the compiler would see free() meet what operator new gave, and take it for a
// mistake.
[[gnu::noinline]] void operator delete(void* pointer) noexcept { std::free(pointer); }
[[gnu::noinline]] void operator delete(void* pointer, size_t) noexcept { std::free(pointer); }

namespace clipglot {
namespace {

using testing::MakeWorkspace;
using testing::Values;

TEST(Workspace, RejectsImpossibleNumbersOfThreads) {
  for (const size_t threads : {size_t{0}, size_t{65}, SIZE_MAX}) {
    const auto workspace = Workspace::Create(threads);
    ASSERT_FALSE(workspace.ok());
    EXPECT_EQ(workspace.status().code(), Code::kInvalidArgument);
    EXPECT_NE(workspace.status().detail().find("threads"), std::string::npos);
  }
}

TEST(Workspace, RunsEveryTaskOnce) {
  for (const size_t threads : {1u, 2u, 3u, 8u, 64u}) {
    const auto workspace = MakeWorkspace(threads);
    ASSERT_NE(workspace, nullptr);
    EXPECT_EQ(workspace->threads(), threads);
    for (const size_t count : {0u, 1u, 2u, 7u, 1000u}) {
      std::vector<std::atomic<int>> runs(count);
      workspace->ParallelFor(count, [&](size_t i) { ++runs[i]; });
      for (const auto& n : runs) ASSERT_EQ(n, 1);
    }
    EXPECT_GE(workspace->threads_seen(), 1u);
    EXPECT_LE(workspace->threads_seen(), threads);
  }
}

TEST(Workspace, EveryThreadWorks) {
  for (const size_t threads : {1u, 2u, 3u}) {
    const auto workspace = MakeWorkspace(threads);
    ASSERT_NE(workspace, nullptr);
    EXPECT_EQ(workspace->threads_seen(), 0u);
    // Each task waits until all are under way, which needs a thread for each.
    std::atomic<size_t> under_way = 0;
    workspace->ParallelFor(threads, [&](size_t) {
      ++under_way;
      while (under_way < threads) std::this_thread::yield();
    });
    EXPECT_EQ(workspace->threads_seen(), threads);
  }
}

TEST(Workspace, ReserveRejectsOverflowingSizes) {
  const auto workspace = MakeWorkspace(1);
  const uint64_t huge = uint64_t{SIZE_MAX};
  EXPECT_EQ(workspace->Reserve({.activations = huge}).code(), Code::kOutOfMemory);
  EXPECT_EQ(workspace->Reserve({.row_params = huge}).code(), Code::kOutOfMemory);
  EXPECT_EQ(workspace->Reserve({.per_thread = huge}).code(), Code::kOutOfMemory);
  EXPECT_EQ(workspace->Reserve({.activations = huge / 2, .per_thread = huge / 2 + 1}).code(),
            Code::kOutOfMemory);
  std::mt19937 random(6);
  auto q8 = Linear::Create(testing::MatrixI8(random, 4, 40), {});
  auto q4 = Linear::Create(testing::MatrixQ4(random, 4, 40), {});
  ASSERT_TRUE(q8.ok() && q4.ok());
  EXPECT_EQ(workspace->Reserve(q4->Scratch(SIZE_MAX)).code(), Code::kOutOfMemory);
  EXPECT_EQ(workspace->Reserve(q4->Scratch(SIZE_MAX / 4)).code(), Code::kOutOfMemory);
  // Rows of an int8 product are taken in passes: more of them need no more memory.
  EXPECT_TRUE(workspace->Reserve(q8->Scratch(SIZE_MAX / 2)).ok());
  EXPECT_TRUE(workspace->Reserve({.activations = 16, .row_params = 16, .per_thread = 16}).ok());
}

TEST(Workspace, NothingIsAllocatedAfterReserve) {
  std::mt19937 random(7);
  constexpr size_t kRows = 40, kIn = 1024, kOut = 256, kHeads = 4, kDim = 64;
  for (const size_t threads : {1u, 2u}) {
    const auto workspace = MakeWorkspace(threads);
    ASSERT_NE(workspace, nullptr);
    auto f32 = Linear::Create(testing::MatrixF32(random, kOut, kIn), {});
    auto i8 = Linear::Create(testing::MatrixI8(random, kOut, kIn), {});
    auto q4 = Linear::Create(testing::MatrixQ4(random, kOut, kIn), {});
    ASSERT_TRUE(f32.ok() && i8.ok() && q4.ok());
    const Values x = testing::RandomValues(random, kRows * kIn);
    const Values qkv_values = testing::RandomValues(random, kRows * 3 * kHeads * kDim);
    Values qkv = testing::RandomValues(random, kRows * 3 * kHeads * kDim);
    const Values weight = testing::RandomValues(random, kIn);
    const RotaryTable table = TextRotary(kRows, kDim, 10000);
    Values y(kRows * kIn);
    std::vector<uint8_t> mask(kRows, 1);
    for (const Linear* linear : {&*f32, &*i8, &*q4})
      ASSERT_TRUE(workspace->Reserve(linear->Scratch(kRows)).ok());

    const size_t news_before = news, xnnpack_before = XnnpackBytesAllocated();
    const std::byte* activations = ImplOf(*workspace).activations.data();
    bool ok = f32->Run(x.span(), kRows, y.span(), *workspace).ok();
    ok &= i8->Run(x.span(), kRows, y.span(), *workspace).ok();
    ok &= q4->Run(x.span(), kRows, y.span(), *workspace).ok();
    LayerNorm(x.span(), x.span(), kRows, weight.span(), weight.span(), 1e-5, y.span(), *workspace);
    Gelu(y.span(), *workspace);
    SwiGlu(x.span(), kRows, kIn / 2, y.span(), *workspace);
    Add(y.span(), x.span(), *workspace);
    Rotate(qkv.span(), kRows, kHeads, kDim, table, RotaryPairing::kHalfSplit, 0, *workspace);
    for (const AttentionArithmetic arithmetic :
         {AttentionArithmetic::kFloat32, AttentionArithmetic::kInt16})
      ok &= Attention(qkv.span(), kRows, kHeads, kDim, mask, arithmetic, y.span(), *workspace).ok();
    EXPECT_EQ(news, news_before);
    EXPECT_EQ(XnnpackBytesAllocated(), xnnpack_before);
    EXPECT_EQ(ImplOf(*workspace).activations.data(), activations);
    EXPECT_TRUE(ok);
  }
}

}  // namespace
}  // namespace clipglot

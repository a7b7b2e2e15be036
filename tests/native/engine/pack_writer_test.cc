#include "engine/pack_writer.h"

#include <gtest/gtest.h>

#include <cstring>
#include <functional>
#include <set>

#include "engine/load.h"

namespace clipglot {
namespace {

using testing::Files;
using testing::ReadFolder;

// Runs the conversation; `on_commit` sees the writer after each commit.
Status Convert(PackWriter& writer, const Files& files, const std::function<void()>& on_commit) {
  std::vector<FileEntry> entries;
  for (const auto& [name, bytes] : files) entries.push_back({name, bytes.size()});
  CLIPGLOT_RETURN_IF_ERROR(writer.Begin(entries));
  while (const auto range = writer.Want()) {
    CLIPGLOT_ASSIGN_OR_RETURN(const std::span<std::byte> to, writer.Reserve());
    const std::vector<std::byte>& file = files.at(entries[range->file].path);
    std::memcpy(to.data(), file.data() + range->offset, to.size());
    CLIPGLOT_RETURN_IF_ERROR(writer.Commit());
    on_commit();
  }
  return OkStatus();
}

TEST(PackWriter, GivesEveryTensorOnceInTheOrderOfGroups) {
  const auto writer = PackWriter::Create({true, true, "q8"});
  ASSERT_TRUE(writer.ok());
  std::vector<std::string> groups;
  std::set<std::string> names;
  uint64_t bytes = 0;
  const Status status = Convert(**writer, ReadFolder("golden-a"), [&] {
    for (const PackTensor& tensor : (*writer)->tensors()) {
      EXPECT_TRUE(names.insert(tensor.name).second) << tensor.name;
      if (groups.empty() || groups.back() != tensor.group) groups.push_back(tensor.group);
      uint64_t size = DTypeSize(tensor.dtype);
      for (const uint64_t side : tensor.shape) size *= side;
      EXPECT_EQ(tensor.bytes.size(), size) << tensor.name;
      bytes += size;
    }
  });
  ASSERT_TRUE(status.ok()) << status.detail();
  EXPECT_TRUE((*writer)->done());
  EXPECT_EQ((*writer)->read_bytes(), (*writer)->total_bytes());
  EXPECT_EQ((*writer)->tokenizer_file(), "tokenizer.json");
  EXPECT_EQ(groups, (std::vector<std::string>{"text-embeddings", "text-layers", "vision"}));
  EXPECT_TRUE(names.contains("vision_model.blocks.2.attn.qkv_proj.weight.q8"));
  EXPECT_TRUE(
      names.contains("text_model.transformer.roberta.encoder.layers.0.mlp.fc1.weight.scale"));
  EXPECT_GT(bytes, 400'000u);
  EXPECT_LT(bytes, 600'000u) << "a third of the checkpoint";
}

TEST(PackWriter, MayBeginAgainAfterAnError) {
  const auto writer = PackWriter::Create({false, true, "f32"});
  ASSERT_TRUE(writer.ok());
  Files files = ReadFolder("golden-a");
  const Files good = files;
  files["model.safetensors"].resize(1'000'000);
  const Status status = Convert(**writer, files, [] {});
  EXPECT_EQ(status.code(), Code::kCorruptModel);
  EXPECT_NE(status.detail().find("model.safetensors"), std::string::npos);
  EXPECT_FALSE((*writer)->done());
  EXPECT_TRUE((*writer)->tensors().empty());
  size_t tensors = 0;
  EXPECT_TRUE(Convert(**writer, good, [&] { tensors += (*writer)->tensors().size(); }).ok());
  EXPECT_TRUE((*writer)->done());
  EXPECT_EQ((*writer)->tokenizer_file(), "");
  EXPECT_EQ(tensors, 4u + 3 * 16 + 2);  // stem, blocks, norm: fused, unquantised
}

TEST(PackWriter, RefusesUnknownOptions) {
  EXPECT_EQ(PackWriter::Create({true, true, "q3"}).status().code(), Code::kInvalidArgument);
  EXPECT_EQ(PackWriter::Create({false, false, "q8"}).status().code(), Code::kInvalidArgument);
  const auto writer = PackWriter::Create({});
  EXPECT_EQ((*writer)->Reserve().status().code(), Code::kInvalidArgument);
  EXPECT_EQ((*writer)->Commit().code(), Code::kInvalidArgument);
  EXPECT_FALSE((*writer)->Want());
  EXPECT_FALSE((*writer)->done());
}

}  // namespace
}  // namespace clipglot

// manifest.json of a pack: as it comes, and with a right hash of itself, or no input would get past
// that.
#include <string>

#include "container/pack_manifest.h"
#include "fuzz.h"
#include "weights/model_config.h"

namespace clipglot::fuzz {
namespace {

void Parse(std::string_view text) {
  const Result<PackManifest> manifest = ParsePackManifest(std::as_bytes(std::span(text)));
  if (!manifest.ok()) {
    CheckModelError(manifest.status());
    return;
  }
  for (const PackShard& shard : manifest->shards) {
    FUZZ_CHECK(!shard.path.empty() && shard.bytes <= kMaxPackFile);
    FUZZ_CHECK(shard.path.find("..") == std::string::npos || shard.path.find('/') != 0);
    FUZZ_CHECK(shard.sha256.size() == (shard.bytes + kPackChunk - 1) / kPackChunk);
  }
  const Result<ModelConfig> config = ParseModelConfig(manifest->config, manifest->preprocessor);
  if (!config.ok()) CheckModelError(config.status());
}

}  // namespace
}  // namespace clipglot::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace clipglot;
  const std::string_view text = fuzz::Text(data, size);
  fuzz::Parse(text);
  const size_t brace = text.rfind('}');
  if (brace == std::string_view::npos) return 0;
  std::string hashed(text.substr(0, brace));
  hashed += ",\n\"sha256\": \"";
  const auto hash = Sha256Hex(Sha256(std::as_bytes(std::span(hashed))));
  fuzz::Parse(hashed + std::string(hash) + "\"\n}\n");
  return 0;
}

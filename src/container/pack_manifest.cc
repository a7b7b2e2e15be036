#include "container/pack_manifest.h"

#include <algorithm>
#include <set>

#include "base/math.h"
#include "base/strings.h"

namespace clipglot {
namespace {

constexpr std::string_view kFile = "manifest.json";
constexpr size_t kMaxShards = 4096;
constexpr size_t kMaxPath = 200;
constexpr size_t kDigits = 64;
// What stands around the digits of the manifest's own hash, to the last byte.
constexpr std::string_view kBeforeDigits = "\"sha256\": \"";
constexpr std::string_view kAfterDigits = "\"\n}\n";

Status Corrupt(std::string_view problem) {
  return Status(Code::kCorruptModel, StrCat(kFile, ": ", problem));
}

// The manifest's own hash; every bit of the file either is hashed, is a digit of the hash, or is
// compared.
Status VerifySelf(std::string_view text) {
  if (text.size() < kBeforeDigits.size() + kDigits + kAfterDigits.size() ||
      !text.ends_with(kAfterDigits)) {
    return Corrupt("does not end with its own sha256 (cut off or edited?)");
  }
  const size_t digits = text.size() - kAfterDigits.size() - kDigits;
  const std::string_view hashed = text.substr(0, digits), expected = text.substr(digits, kDigits);
  if (!hashed.ends_with(kBeforeDigits))
    return Corrupt("does not end with its own sha256 (cut off or edited?)");
  const std::string found = Sha256Hex(Sha256(std::as_bytes(std::span(hashed))));
  if (found != expected) return Corrupt(StrCat("its sha256 is ", found, ", not as it says itself"));
  return OkStatus();
}

// Names of letters, digits, '_', '.' and '-' with '/' between them; a name of dots alone would
// leave the folder.
bool IsPlainPath(std::string_view path) {
  if (path.size() > kMaxPath) return false;
  for (size_t begin = 0; begin <= path.size();) {
    const size_t end = std::min(path.find('/', begin), path.size());
    const std::string_view name = path.substr(begin, end - begin);
    const bool plain = std::all_of(name.begin(), name.end(), [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
             c == '_' || c == '.' || c == '-';
    });
    if (!plain || name.find_first_not_of('.') == std::string_view::npos) return false;
    begin = end + 1;
  }
  return true;
}

Status ParseFile(const Json& json, PackHashes hashes_are, PackFile& file) {
  CLIPGLOT_ASSIGN_OR_RETURN(file.path, json["path"].AsString());
  if (!IsPlainPath(file.path))
    return json["path"].Error(StrCat("not a plain relative path: ", Printable(file.path)));
  CLIPGLOT_ASSIGN_OR_RETURN(const int64_t bytes, json["bytes"].AsInt());
  if (bytes <= 0 || static_cast<uint64_t>(bytes) > kMaxPackFile) {
    return json["bytes"].Error(StrCat(bytes, " bytes; 1 to ", kMaxPackFile, " are allowed"));
  }
  file.bytes = static_cast<uint64_t>(bytes);
  const Json hashes = json["sha256"];
  if (hashes_are == PackHashes::kOptional && !hashes.exists()) return OkStatus();
  const uint64_t chunks = CeilDiv(file.bytes, kPackChunk);
  if (!hashes.is_array() || hashes.size() != chunks) {
    return hashes.Error(StrCat("a list of ", chunks, " hashes is expected, one for each 4 MiB"));
  }
  for (size_t i = 0; i < hashes.size(); ++i) {
    CLIPGLOT_ASSIGN_OR_RETURN(std::string hash, hashes.At(i).AsString());
    if (!IsSha256Hex(hash))
      return hashes.At(i).Error("64 lower-case hexadecimal digits are expected");
    file.sha256.push_back(std::move(hash));
  }
  return OkStatus();
}

}  // namespace

Result<PackManifest> ParsePackManifest(std::span<const std::byte> bytes, PackHashes hashes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  CLIPGLOT_RETURN_IF_ERROR(VerifySelf(text));
  Json::Limits limits;
  limits.max_bytes = kMaxPackManifest;
  CLIPGLOT_ASSIGN_OR_RETURN(const Json json, Json::Parse(text, std::string(kFile), limits));
  CLIPGLOT_ASSIGN_OR_RETURN(const int64_t version, json["formatVersion"].AsInt());
  if (version != kPackFormatVersion) {
    return Status(Code::kUnsupportedVersion, StrCat(kFile, ": formatVersion is ", version,
                                                    ", this build reads ", kPackFormatVersion));
  }

  PackManifest manifest;
  CLIPGLOT_ASSIGN_OR_RETURN(manifest.model_id, json["modelId"].AsString());
  CLIPGLOT_ASSIGN_OR_RETURN(manifest.revision, json["revision"].AsStringOr("unknown"));
  CLIPGLOT_ASSIGN_OR_RETURN(manifest.license, json["license"].AsString());
  CLIPGLOT_ASSIGN_OR_RETURN(manifest.dtype, json["dtype"].AsString());
  manifest.config = json["config"];
  manifest.preprocessor = json["preprocessor"];
  manifest.self_test = json["selfTest"];

  std::set<std::string> paths = {std::string(kFile)};
  if (json["tokenizer"].exists() && !json["tokenizer"].is_null()) {
    CLIPGLOT_RETURN_IF_ERROR(ParseFile(json["tokenizer"], hashes, manifest.tokenizer));
    paths.insert(manifest.tokenizer.path);
  }
  const Json shards = json["shards"];
  if (!shards.is_array() || shards.size() > kMaxShards)
    return shards.Error("a list of at most 4096 shards is expected");
  for (size_t i = 0; i < shards.size(); ++i) {
    PackShard shard;
    CLIPGLOT_RETURN_IF_ERROR(ParseFile(shards.At(i), hashes, shard));
    CLIPGLOT_ASSIGN_OR_RETURN(shard.tower, shards.At(i)["tower"].AsString());
    if (shard.tower != "text" && shard.tower != "vision") {
      return shards.At(i)["tower"].Error(
          StrCat("text or vision is expected, not ", Printable(shard.tower)));
    }
    if (!paths.insert(shard.path).second) {
      return shards.At(i)["path"].Error(StrCat("named twice: ", Printable(shard.path)));
    }
    manifest.shards.push_back(std::move(shard));
  }
  return manifest;
}

Status VerifyPackChunk(const PackFile& file, uint64_t offset, std::span<const std::byte> chunk,
                       std::string_view sha256) {
  const uint64_t index = offset / kPackChunk;
  if (offset % kPackChunk != 0 || index >= file.sha256.size() ||
      chunk.size() != std::min(kPackChunk, file.bytes - offset)) {
    return Status(Code::kInternal,
                  StrCat(file.path, ": no chunk of ", chunk.size(), " bytes at byte ", offset));
  }
  const bool same = sha256.empty() ? Sha256Hex(Sha256(chunk)) == file.sha256[index]
                                   : sha256 == file.sha256[index];
  if (!same) {
    return Status(Code::kCorruptModel,
                  StrCat(file.path, ": sha256 of the ", chunk.size(), " bytes at byte ", offset,
                         " differs from the manifest (damaged download?)"));
  }
  return OkStatus();
}

}  // namespace clipglot

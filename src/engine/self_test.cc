#include "engine/self_test.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/base64.h"
#include "base/strings.h"

namespace clipglot {
namespace {

constexpr size_t kMaxTexts = 64;
constexpr size_t kMaxText = 4096;  // bytes
constexpr size_t kMaxSide = 512;   // of the picture, in pixels

Result<std::string> Bytes(const Json& json, size_t expected) {
  CLIPGLOT_ASSIGN_OR_RETURN(const std::string_view text, json.AsStringView());
  std::optional<std::string> bytes = DecodeBase64(text);
  if (!bytes || bytes->size() != expected)
    return json.Error(StrCat("base64 of ", expected, " bytes is expected"));
  return *std::move(bytes);
}

Result<std::vector<float>> Vector(const Json& json, size_t dimensions) {
  CLIPGLOT_ASSIGN_OR_RETURN(const std::string bytes, Bytes(json, dimensions * sizeof(float)));
  std::vector<float> vector(dimensions);
  std::memcpy(vector.data(), bytes.data(), bytes.size());
  if (!std::all_of(vector.begin(), vector.end(), [](float x) { return std::isfinite(x); }))
    return json.Error("holds NaN or infinity");
  return vector;
}

Result<size_t> Side(const Json& json) {
  CLIPGLOT_ASSIGN_OR_RETURN(const int64_t side, json.AsInt());
  if (side < 1 || side > static_cast<int64_t>(kMaxSide))
    return json.Error(StrCat("1 to ", kMaxSide, " is expected"));
  return static_cast<size_t>(side);
}

// `found`: the engine's vector for the item `name`.
Status Compare(const std::string& name, std::span<const float> expected,
               std::span<const float> found, double lowest) {
  const double cosine = expected.size() == found.size() ? Cosine(expected, found) : 0;
  if (cosine >= lowest) return OkStatus();
  return Status(
      Code::kCorruptModel,
      StrCat("self-test, ", name, ": cosine ", FormatDouble(cosine),
             " to the vector in the pack, at least ", FormatDouble(lowest),
             " is expected; this build and this pack do not belong together, or one is damaged"));
}

}  // namespace

std::vector<uint8_t> SelfTest::Image::Rgba() const {
  std::vector<uint8_t> rgba;
  rgba.reserve(width * height * 4);
  for (size_t i = 0; i < rgb.size(); ++i) {
    rgba.push_back(rgb[i]);
    if (i % 3 == 2) rgba.push_back(255);
  }
  return rgba;
}

double Cosine(std::span<const float> a, std::span<const float> b) {
  double ab = 0, aa = 0, bb = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    ab += double{a[i]} * b[i];
    aa += double{a[i]} * a[i];
    bb += double{b[i]} * b[i];
  }
  return aa > 0 && bb > 0 ? ab / std::sqrt(aa * bb) : 0;
}

Result<SelfTest> ParseSelfTest(const Json& json, size_t dimensions, size_t grid) {
  if (!json.is_object()) return json.Error("an object is expected");
  SelfTest test;
  CLIPGLOT_ASSIGN_OR_RETURN(const int64_t length, json["dimensions"].AsInt());
  if (length < 0 || static_cast<uint64_t>(length) != dimensions)
    return json["dimensions"].Error(StrCat(length, ", but the model gives ", dimensions));
  test.dimensions = dimensions;
  CLIPGLOT_ASSIGN_OR_RETURN(test.min_cosine, json["minCosine"].AsDouble());
  if (!(test.min_cosine >= 0 && test.min_cosine <= 1))
    return json["minCosine"].Error("0 to 1 is expected");
  CLIPGLOT_ASSIGN_OR_RETURN(test.reached, json["reached"].AsDoubleOr(1));
  const Json texts = json["texts"], few = json["imagePatches"];
  const bool has_few = few.exists() && !few.is_null();
  const Json image = has_few ? few : json["image"];
  if (texts.exists() && !texts.is_array()) return texts.Error("a list is expected");
  if (texts.size() > kMaxTexts) return texts.Error(StrCat("more than ", kMaxTexts, " texts"));
  for (size_t i = 0; i < texts.size(); ++i) {
    const Json item = texts.At(i);
    SelfTest::Text text;
    CLIPGLOT_ASSIGN_OR_RETURN(text.text, item["text"].AsString());
    if (text.text.size() > kMaxText)
      return item["text"].Error(StrCat("longer than ", kMaxText, " bytes"));
    CLIPGLOT_ASSIGN_OR_RETURN(text.task, item["task"].AsStringOr(""));
    CLIPGLOT_ASSIGN_OR_RETURN(text.vector, Vector(item["vector"], dimensions));
    test.texts.push_back(std::move(text));
  }
  if (image.exists() && !image.is_null()) {
    SelfTest::Image picture;
    if (has_few) {
      CLIPGLOT_ASSIGN_OR_RETURN(picture.patches, Side(image["patches"]));
      if (picture.patches > grid)
        return image["patches"].Error(StrCat("more than the ", grid, " of the model"));
    }
    CLIPGLOT_ASSIGN_OR_RETURN(picture.width, Side(image["width"]));
    CLIPGLOT_ASSIGN_OR_RETURN(picture.height, Side(image["height"]));
    CLIPGLOT_ASSIGN_OR_RETURN(const std::string rgb,
                              Bytes(image["rgb"], picture.width * picture.height * 3));
    picture.rgb.assign(rgb.begin(), rgb.end());
    CLIPGLOT_ASSIGN_OR_RETURN(picture.vector, Vector(image["vector"], dimensions));
    test.image = std::move(picture);
  }
  return test;
}

Status RunSelfTest(const SelfTest& test, const SelfTestEngine& engine) {
  for (size_t i = 0; engine.text && i < test.texts.size(); ++i) {
    const SelfTest::Text& item = test.texts[i];
    const Result<EmbeddingView> view = engine.text(item);
    if (!view.ok() && view.status().code() == Code::kTooLong) continue;
    if (!view.ok()) return view.status();
    CLIPGLOT_RETURN_IF_ERROR(
        Compare(StrCat("text ", i), item.vector, view->vector, test.min_cosine));
  }
  if (engine.image && test.image) {
    CLIPGLOT_ASSIGN_OR_RETURN(const EmbeddingView view, engine.image(*test.image));
    CLIPGLOT_RETURN_IF_ERROR(Compare("image", test.image->vector, view.vector, test.min_cosine));
  }
  return OkStatus();
}

}  // namespace clipglot

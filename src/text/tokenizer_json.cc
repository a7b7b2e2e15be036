// Reader of tokenizer.json. Source of every rule: huggingface/tokenizers 0.22
// (src/tokenizer/serialization.rs and the Deserialize of each part), plus the spellings of older
// versions.
#include "base/base64.h"
#include "base/json.h"
#include "base/strings.h"
#include "text/tokenizer_spec.h"

namespace clipglot {
namespace {

constexpr Json::Limits kLimits = {.max_bytes = size_t{64} << 20, .max_depth = 32};
constexpr std::string_view kMark = "\xE2\x96\x81";  // U+2581

Status Unsupported(const Json& at, std::string_view problem) {
  return Status(Code::kUnsupportedModel, StrCat(at.Path(), ": ", problem));
}

// The "type" of a part.
Result<std::string_view> TypeOf(const Json& part) { return part["type"].AsStringView(); }

Status UnknownType(const Json& part, std::string_view type) {
  return Unsupported(part["type"], StrCat("'", Printable(type), "' is not supported here"));
}

Status ReadReplace(const Json& part, TokenizerSpec* spec) {
  CLIPGLOT_ASSIGN_OR_RETURN(const std::string_view pattern,
                            part["pattern"]["Regex"].AsStringView());
  NormalizerStep step{.kind = NormalizerStep::Kind::kReplaceSpaces};
  CLIPGLOT_ASSIGN_OR_RETURN(step.content, part["content"].AsString());
  if (pattern != " {2,}")
    return Unsupported(part["pattern"], "only the regular expression ' {2,}' is supported");
  if (step.content != " " && step.content != kMark)
    return Unsupported(part["content"], "a space or U+2581 is expected");
  spec->steps.push_back(std::move(step));
  return OkStatus();
}

Status ReadNormalizer(const Json& part, bool may_nest, TokenizerSpec* spec) {
  if (!part.exists() || part.is_null()) return OkStatus();
  CLIPGLOT_ASSIGN_OR_RETURN(const std::string_view type, TypeOf(part));
  if (type == "Sequence" && may_nest) {
    const Json list = part["normalizers"];
    if (!list.is_array()) return list.Error("a list is expected");
    if (list.size() > 8) return Unsupported(list, "more than eight steps");
    for (size_t i = 0; i < list.size(); ++i)
      CLIPGLOT_RETURN_IF_ERROR(ReadNormalizer(list.At(i), false, spec));
    return OkStatus();
  }
  if (type == "Precompiled") {
    const Json map = part["precompiled_charsmap"];
    CLIPGLOT_ASSIGN_OR_RETURN(const std::string_view text, map.AsStringView());
    auto bytes = DecodeBase64(text);
    if (!bytes) return map.Error("not base64");
    if (!spec->charsmap.empty()) return Unsupported(part, "a second character map");
    spec->charsmap = *std::move(bytes);
    spec->steps.push_back({.kind = NormalizerStep::Kind::kCharsmap});
    return OkStatus();
  }
  if (type == "Strip") {
    NormalizerStep step{.kind = NormalizerStep::Kind::kStrip};
    CLIPGLOT_ASSIGN_OR_RETURN(step.strip_left, part["strip_left"].AsBool());
    CLIPGLOT_ASSIGN_OR_RETURN(step.strip_right, part["strip_right"].AsBool());
    spec->steps.push_back(std::move(step));
    return OkStatus();
  }
  if (type == "Replace") return ReadReplace(part, spec);
  return UnknownType(part, type);
}

Status ReadMetaspace(const Json& part, TokenizerSpec* spec) {
  CLIPGLOT_ASSIGN_OR_RETURN(const std::string_view type, TypeOf(part));
  if (type != "Metaspace") return UnknownType(part, type);
  CLIPGLOT_ASSIGN_OR_RETURN(const std::string_view replacement, part["replacement"].AsStringView());
  if (replacement != kMark) return Unsupported(part["replacement"], "U+2581 is expected");
  CLIPGLOT_ASSIGN_OR_RETURN(const bool add_prefix, part["add_prefix_space"].AsBoolOr(true));
  CLIPGLOT_ASSIGN_OR_RETURN(const std::string scheme,
                            part["prepend_scheme"].AsStringOr(add_prefix ? "always" : "never"));
  // "first" needs the place of each piece in the raw text; no XLM-RoBERTa tokenizer has it.
  if (scheme != "always" && scheme != "never")
    return Unsupported(part["prepend_scheme"], "'always' or 'never' is expected");
  if (!add_prefix && scheme == "always")
    return part["prepend_scheme"].Error("contradicts add_prefix_space");
  spec->prefix = scheme == "always";
  CLIPGLOT_ASSIGN_OR_RETURN(spec->split_at_marks, part["split"].AsBoolOr(true));
  return OkStatus();
}

Status ReadPreTokenizer(const Json& part, TokenizerSpec* spec) {
  CLIPGLOT_ASSIGN_OR_RETURN(const std::string_view type, TypeOf(part));
  if (type != "Sequence") return ReadMetaspace(part, spec);
  const Json list = part["pretokenizers"];
  if (list.size() != 1 && list.size() != 2)
    return Unsupported(list, "WhitespaceSplit and Metaspace are expected");
  if (list.size() == 2) {
    CLIPGLOT_ASSIGN_OR_RETURN(const std::string_view first, TypeOf(list.At(0)));
    if (first != "WhitespaceSplit") return UnknownType(list.At(0), first);
    spec->split_white_space = true;
  }
  return ReadMetaspace(list.At(list.size() - 1), spec);
}

Status ReadModel(std::string_view what, const Json& model, TokenizerSpec* spec) {
  CLIPGLOT_ASSIGN_OR_RETURN(const std::string_view type, TypeOf(model));
  if (type != "Unigram") return UnknownType(model, type);
  CLIPGLOT_ASSIGN_OR_RETURN(const bool byte_fallback, model["byte_fallback"].AsBoolOr(false));
  if (byte_fallback)
    return Unsupported(model["byte_fallback"], "bytes as pieces are not supported");
  CLIPGLOT_ASSIGN_OR_RETURN(spec->unk_id, model["unk_id"].AsInt());
  const Json vocab = model["vocab"];
  if (!vocab.is_array() || vocab.size() == 0) return vocab.Error("a list of pieces is expected");
  if (vocab.size() > PieceList::kMaxPieces)
    return Unsupported(vocab, StrCat("more than ", PieceList::kMaxPieces, " pieces"));
  spec->scores.reserve(vocab.size());
  for (size_t i = 0; i < vocab.size(); ++i) {
    const Json entry = vocab.At(i);
    if (!entry.is_array() || entry.size() != 2)
      return entry.Error("a piece and its score are expected");
    CLIPGLOT_ASSIGN_OR_RETURN(const std::string_view piece, entry.At(0).AsStringView());
    CLIPGLOT_ASSIGN_OR_RETURN(const double score, entry.At(1).AsDouble());
    if (Status status = spec->pieces.Add(piece); !status.ok())
      return Status(status.code(), StrCat(what, ": ", status.detail()));
    spec->scores.push_back(score);
  }
  return OkStatus();
}

Status ReadAddedTokens(const Json& list, TokenizerSpec* spec) {
  if (!list.exists() || list.is_null()) return OkStatus();
  if (!list.is_array()) return list.Error("a list is expected");
  if (list.size() > 100'000) return Unsupported(list, "more than 100000 added tokens");
  for (size_t i = 0; i < list.size(); ++i) {
    const Json entry = list.At(i);
    AddedToken token;
    CLIPGLOT_ASSIGN_OR_RETURN(token.content, entry["content"].AsString());
    CLIPGLOT_ASSIGN_OR_RETURN(token.id, entry["id"].AsInt());
    CLIPGLOT_ASSIGN_OR_RETURN(token.strip_left, entry["lstrip"].AsBoolOr(false));
    CLIPGLOT_ASSIGN_OR_RETURN(token.strip_right, entry["rstrip"].AsBoolOr(false));
    CLIPGLOT_ASSIGN_OR_RETURN(const bool special, entry["special"].AsBoolOr(false));
    CLIPGLOT_ASSIGN_OR_RETURN(token.normalized, entry["normalized"].AsBoolOr(!special));
    CLIPGLOT_ASSIGN_OR_RETURN(const bool single_word, entry["single_word"].AsBoolOr(false));
    if (single_word)
      return Unsupported(entry["single_word"],
                         "tokens that match only whole words are not supported");
    spec->added.push_back(std::move(token));
  }
  return OkStatus();
}

Result<AddedToken> ReadTemplateToken(const Json& part, const Json& special_tokens) {
  CLIPGLOT_ASSIGN_OR_RETURN(const std::string name, part["SpecialToken"]["id"].AsString());
  const Json special = special_tokens[name];
  if (special["ids"].size() != 1 || special["tokens"].size() != 1)
    return Unsupported(special, "one token is expected");
  AddedToken out;
  CLIPGLOT_ASSIGN_OR_RETURN(out.content, special["tokens"].At(0).AsString());
  CLIPGLOT_ASSIGN_OR_RETURN(out.id, special["ids"].At(0).AsInt());
  return out;
}

Status ReadPostProcessor(const Json& part, TokenizerSpec* spec) {
  CLIPGLOT_ASSIGN_OR_RETURN(const std::string_view type, TypeOf(part));
  if (type != "TemplateProcessing") return UnknownType(part, type);
  const Json single = part["single"];
  if (single.size() != 3 || !single.At(1)["Sequence"].is_object()) {
    return Unsupported(single, "a token, the text and a token are expected");
  }
  const Json specials = part["special_tokens"];
  CLIPGLOT_ASSIGN_OR_RETURN(spec->bos, ReadTemplateToken(single.At(0), specials));
  CLIPGLOT_ASSIGN_OR_RETURN(spec->eos, ReadTemplateToken(single.At(2), specials));
  return OkStatus();
}

}  // namespace

Result<TokenizerSpec> ReadTokenizerJson(std::string_view what, std::string_view text) {
  CLIPGLOT_ASSIGN_OR_RETURN(const Json root, Json::Parse(text, std::string(what), kLimits));
  CLIPGLOT_ASSIGN_OR_RETURN(const std::string version, root["version"].AsStringOr("1.0"));
  if (version != "1.0")
    return Unsupported(root["version"], StrCat("'", Printable(version), "', 1.0 is expected"));
  TokenizerSpec spec;
  CLIPGLOT_RETURN_IF_ERROR(ReadModel(what, root["model"], &spec));
  CLIPGLOT_RETURN_IF_ERROR(ReadNormalizer(root["normalizer"], true, &spec));
  CLIPGLOT_RETURN_IF_ERROR(ReadPreTokenizer(root["pre_tokenizer"], &spec));
  CLIPGLOT_RETURN_IF_ERROR(ReadPostProcessor(root["post_processor"], &spec));
  CLIPGLOT_RETURN_IF_ERROR(ReadAddedTokens(root["added_tokens"], &spec));
  return spec;
}

}  // namespace clipglot

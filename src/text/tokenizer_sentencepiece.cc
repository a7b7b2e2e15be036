// Reader of a sentencepiece .model. SentencePiece's own parser reads the bytes; its encoder is not
// used, since the fast tokenizer, which the model was trained with, segments differently. Source of
// the rules: Hugging Face transformers, convert_slow_tokenizer.py (SpmConverter,
// XLMRobertaConverter).
#include <sentencepiece_model.pb.h>

#include "base/strings.h"
#include "base/utf8.h"
#include "text/tokenizer_spec.h"

namespace clipglot {
namespace {

// XLM-RoBERTa's has 5 MB. The parser's objects take some twenty times the bytes of a hostile file.
constexpr size_t kMaxBytes = size_t{16} << 20;

using Piece = sentencepiece::ModelProto::SentencePiece;

Status CheckKind(std::string_view what, const sentencepiece::ModelProto& model) {
  const auto unsupported = [&](std::string_view problem) {
    return Status(Code::kUnsupportedModel, StrCat(what, ": ", problem));
  };
  const auto& trainer = model.trainer_spec();
  if (trainer.model_type() != sentencepiece::TrainerSpec::UNIGRAM)
    return unsupported("model_type is not UNIGRAM");
  if (trainer.byte_fallback()) return unsupported("byte_fallback is not supported");
  if (trainer.treat_whitespace_as_suffix())
    return unsupported("treat_whitespace_as_suffix is not supported");
  const auto& normalizer = model.normalizer_spec();
  if (!normalizer.add_dummy_prefix())
    return unsupported("add_dummy_prefix = false is not supported");
  if (!normalizer.escape_whitespaces())
    return unsupported("escape_whitespaces = false is not supported");
  if (model.pieces_size() < 4 || model.pieces(0).type() != Piece::UNKNOWN ||
      model.pieces(1).piece() != "<s>" || model.pieces(2).piece() != "</s>") {
    return unsupported("XLM-RoBERTa's first pieces <unk>, <s>, </s> are expected");
  }
  return OkStatus();
}

}  // namespace

Result<TokenizerSpec> ReadSentencePieceModel(std::string_view what, std::string_view bytes) {
  if (bytes.size() > kMaxBytes) {
    return Status(Code::kUnsupportedModel,
                  StrCat(what, ": ", bytes.size(), " bytes, at most ", kMaxBytes, " allowed"));
  }
  sentencepiece::ModelProto model;
  if (bytes.empty() || !model.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return Status(Code::kCorruptModel, StrCat(what, ": not a sentencepiece model"));
  }
  CLIPGLOT_RETURN_IF_ERROR(CheckKind(what, model));

  TokenizerSpec spec;
  const auto add = [&](std::string_view piece, double score) -> Status {
    if (Status status = spec.pieces.Add(piece); !status.ok())
      return Status(status.code(), StrCat(what, ": ", status.detail()));
    spec.scores.push_back(score);
    return OkStatus();
  };
  for (const char* special : {"<s>", "<pad>", "</s>", "<unk>"})
    CLIPGLOT_RETURN_IF_ERROR(add(special, 0));
  for (int i = 3; i < model.pieces_size(); ++i) {
    const Piece& piece = model.pieces(i);
    size_t bad;
    if (piece.piece().empty() || !IsUtf8(piece.piece(), &bad)) {
      return Status(Code::kCorruptModel, StrCat(what, ": piece ", i, " is empty or not UTF-8"));
    }
    if (piece.type() != Piece::NORMAL && piece.type() != Piece::UNUSED) {
      return Status(Code::kUnsupportedModel,
                    StrCat(what, ": piece ", i, " (", Printable(piece.piece()), ") has type ",
                           static_cast<int>(piece.type())));
    }
    CLIPGLOT_RETURN_IF_ERROR(add(piece.piece(), piece.score()));
  }
  CLIPGLOT_RETURN_IF_ERROR(add("<mask>", 0));
  spec.unk_id = 3;
  for (const char* special : {"<s>", "<pad>", "</s>", "<unk>"})
    spec.added.push_back({.content = special});
  spec.added.push_back({.content = "<mask>", .strip_left = true});
  spec.charsmap = model.normalizer_spec().precompiled_charsmap();
  if (!spec.charsmap.empty()) spec.steps.push_back({.kind = NormalizerStep::Kind::kCharsmap});
  spec.split_white_space = true;
  return spec;
}

}  // namespace clipglot

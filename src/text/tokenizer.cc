#include "text/tokenizer.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "base/strings.h"
#include "base/utf8.h"
#include "text/added_tokens.h"
#include "text/charsmap.h"
#include "text/tokenizer_spec.h"
#include "text/unigram.h"
#include "text/white_space.h"

namespace clipglot {
namespace {

constexpr size_t kMaxTextBytes = size_t{16} << 20;
constexpr std::string_view kMark = "\xE2\x96\x81";  // U+2581 stands for a space

Status CheckUtf8(std::string_view text) {
  size_t bad = 0;
  if (IsUtf8(text, &bad)) return OkStatus();
  return Status(Code::kInvalidText, StrCat("not UTF-8 at byte ", bad));
}

void ReplaceSpaces(std::string_view content, std::string* text) {
  std::string out;
  out.reserve(text->size());
  for (size_t i = 0; i < text->size();) {
    const size_t end = std::min(text->find_first_not_of(' ', i), text->size());
    if (end - i >= 2) {
      out.append(content);
      i = end;
    } else {
      out.push_back((*text)[i++]);
    }
  }
  *text = std::move(out);
}

void Strip(bool left, bool right, std::string* text) {
  size_t begin = 0, end = text->size();
  while (left && begin < end) {
    size_t after = begin;
    if (!IsWhiteSpace(NextCodePoint(*text, &after))) break;
    begin = after;
  }
  while (right && end > begin) {
    const size_t last = PreviousCharacter(*text, end);
    size_t at = last;
    if (!IsWhiteSpace(NextCodePoint(*text, &at))) break;
    end = last;
  }
  *text = text->substr(begin, end - begin);
}

class FastTokenizer : public Tokenizer {
 public:
  static Result<std::unique_ptr<Tokenizer>> Make(std::string_view what, TokenizerSpec spec);

  Result<Encoding> Encode(std::string_view utf8, size_t max_tokens) const override;
  size_t vocab_size() const override { return vocab_size_; }
  int32_t bos_id() const override { return bos_id_; }
  int32_t pad_id() const override { return pad_id_; }
  int32_t eos_id() const override { return eos_id_; }

 private:
  // What one call of Encode works with.
  struct Run {
    IdSink sink;
    Unigram::Scratch scratch;
    std::string normalized, word;
  };

  Status SetAddedTokens(std::string_view what, const TokenizerSpec& spec);
  Status Normalize(std::string_view text, std::string* out) const;
  void EncodeText(std::string_view normalized, Run* run) const;
  void EncodePiece(std::string_view piece, Run* run) const;

  Unigram unigram_;
  Charsmap charsmap_;
  std::vector<NormalizerStep> steps_;
  AddedTokens raw_, normalized_;
  bool split_white_space_ = false, prefix_ = true, split_at_marks_ = true;
  size_t vocab_size_ = 0;
  int32_t bos_id_ = 0, pad_id_ = 0, eos_id_ = 0;
};

Result<std::unique_ptr<Tokenizer>> FastTokenizer::Make(std::string_view what, TokenizerSpec spec) {
  auto out = std::make_unique<FastTokenizer>();
  out->steps_ = std::move(spec.steps);
  out->split_white_space_ = spec.split_white_space;
  out->prefix_ = spec.prefix;
  out->split_at_marks_ = spec.split_at_marks;
  const bool has_map = std::any_of(
      out->steps_.begin(), out->steps_.end(),
      [](const NormalizerStep& step) { return step.kind == NormalizerStep::Kind::kCharsmap; });
  if (has_map) {
    CLIPGLOT_ASSIGN_OR_RETURN(out->charsmap_, Charsmap::Create(what, spec.charsmap));
  }
  CLIPGLOT_ASSIGN_OR_RETURN(
      out->unigram_, Unigram::Create(what, spec.pieces, std::move(spec.scores), spec.unk_id));
  spec.pieces = PieceList();
  CLIPGLOT_RETURN_IF_ERROR(out->SetAddedTokens(what, spec));
  return std::unique_ptr<Tokenizer>(std::move(out));
}

Status FastTokenizer::SetAddedTokens(std::string_view what, const TokenizerSpec& spec) {
  PieceList raw_contents, normalized_contents;
  std::vector<AddedTokens::Token> raw, normalized;
  std::unordered_map<std::string, int32_t> after;  // added tokens that are no pieces
  const auto find = [&](const std::string& content) {
    const int32_t id = unigram_.Find(content);
    if (id >= 0) return id;
    const auto found = after.find(content);
    return found == after.end() ? -1 : found->second;
  };
  vocab_size_ = unigram_.size();
  // An added token that is a piece has the piece's id; others follow the vocabulary, as
  // upstream numbers them whatever the file says. A file that says otherwise was meant for another
  // vocabulary.
  for (const AddedToken& token : spec.added) {
    if (token.content.empty()) continue;
    int32_t id = find(token.content);
    if (id < 0) {
      id = static_cast<int32_t>(vocab_size_++);
      after.emplace(token.content, id);
    }
    if (token.id && *token.id != id) {
      return Status(Code::kCorruptModel,
                    StrCat(what, ": added token ", Printable(token.content), " has id ", *token.id,
                           ", its place in the vocabulary is ", id));
    }
    std::string content = token.content;
    if (token.normalized) {
      content.clear();
      CLIPGLOT_RETURN_IF_ERROR(Normalize(token.content, &content));
    }
    if (content.empty()) {
      return Status(
          Code::kUnsupportedModel,
          StrCat(what, ": added token ", Printable(token.content), " normalises to nothing"));
    }
    CLIPGLOT_RETURN_IF_ERROR((token.normalized ? normalized_contents : raw_contents).Add(content));
    (token.normalized ? normalized : raw)
        .push_back({.id = id, .strip_left = token.strip_left, .strip_right = token.strip_right});
  }
  raw_ = AddedTokens(raw_contents, std::move(raw));
  normalized_ = AddedTokens(normalized_contents, std::move(normalized));

  const std::pair<const AddedToken*, int32_t*> specials[] = {
      {&spec.bos, &bos_id_}, {&spec.eos, &eos_id_}, {&spec.pad, &pad_id_}};
  for (const auto& [token, id] : specials) {
    *id = find(token->content);
    if (*id < 0) {
      return Status(Code::kUnsupportedModel,
                    StrCat(what, ": no token ", Printable(token->content), " in the vocabulary"));
    }
    if (token->id && *token->id != *id) {
      return Status(Code::kCorruptModel,
                    StrCat(what, ": the template has ", Printable(token->content), " at ",
                           *token->id, ", the vocabulary at ", *id));
    }
  }
  return OkStatus();
}

Status FastTokenizer::Normalize(std::string_view text, std::string* out) const {
  out->assign(text);
  for (const NormalizerStep& step : steps_) {
    switch (step.kind) {
      case NormalizerStep::Kind::kCharsmap: {
        std::string mapped;
        mapped.reserve(out->size() + out->size() / 8);
        CLIPGLOT_RETURN_IF_ERROR(charsmap_.Append(*out, &mapped));
        *out = std::move(mapped);
        break;
      }
      case NormalizerStep::Kind::kStrip:
        Strip(step.strip_left, step.strip_right, out);
        break;
      case NormalizerStep::Kind::kReplaceSpaces:
        ReplaceSpaces(step.content, out);
        break;
    }
  }
  return OkStatus();
}

void FastTokenizer::EncodeText(std::string_view text, Run* run) const {
  if (!split_white_space_) return EncodePiece(text, run);
  size_t begin = 0;
  for (size_t at = 0; at < text.size();) {
    const size_t here = at;
    if (!IsWhiteSpace(NextCodePoint(text, &at))) continue;
    EncodePiece(text.substr(begin, here - begin), run);
    begin = at;
  }
  EncodePiece(text.substr(begin), run);
}

// Metaspace: spaces become marks, and words begin at marks.
void FastTokenizer::EncodePiece(std::string_view piece, Run* run) const {
  if (piece.empty()) return;
  std::string& word = run->word;
  word.clear();
  if (prefix_ && piece[0] != ' ' && !piece.starts_with(kMark)) word.append(kMark);
  for (const char c : piece) {
    if (c == ' ') {
      word.append(kMark);
    } else {
      word.push_back(c);
    }
  }
  const std::string_view text = word;
  if (!split_at_marks_) return unigram_.Encode(text, &run->scratch, &run->sink);
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find(kMark, begin + 1), text.size());
    unigram_.Encode(text.substr(begin, end - begin), &run->scratch, &run->sink);
    begin = end;
  }
}

Result<Encoding> FastTokenizer::Encode(std::string_view utf8, size_t max_tokens) const {
  if (max_tokens < 2)
    return Status(Code::kInvalidArgument,
                  StrCat("max_tokens is ", max_tokens, ", at least 2 needed"));
  if (utf8.size() > kMaxTextBytes) {
    return Status(Code::kInvalidArgument,
                  StrCat("text of ", utf8.size(), " bytes, at most ", kMaxTextBytes, " allowed"));
  }
  CLIPGLOT_RETURN_IF_ERROR(CheckUtf8(utf8));
  Run run;
  run.sink.room = max_tokens - 2;
  run.sink.ids.reserve(std::min(max_tokens, 2 + utf8.size() / 4));
  for (const AddedTokens::Part& raw : raw_.Split(utf8)) {
    if (raw.id >= 0) {
      run.sink.Push(raw.id);
      continue;
    }
    CLIPGLOT_RETURN_IF_ERROR(Normalize(raw.text, &run.normalized));
    for (const AddedTokens::Part& part : normalized_.Split(run.normalized)) {
      if (part.id >= 0) {
        run.sink.Push(part.id);
      } else {
        EncodeText(part.text, &run);
      }
    }
  }
  Encoding out;
  out.unknown_tokens =
      static_cast<size_t>(std::count(run.sink.ids.begin(), run.sink.ids.end(), unigram_.unk_id()));
  out.total_tokens = run.sink.total + 2;
  out.ids = std::move(run.sink.ids);
  out.ids.insert(out.ids.begin(), bos_id_);
  out.ids.push_back(eos_id_);
  out.truncated = out.ids.size() < out.total_tokens;
  return out;
}

}  // namespace

Result<std::unique_ptr<Tokenizer>> Tokenizer::Create(std::string_view name,
                                                     std::span<const std::byte> file) {
  const std::string_view bytes(reinterpret_cast<const char*>(file.data()), file.size());
  const std::string what = Printable(name);
  auto spec = name.ends_with(".json") ? ReadTokenizerJson(what, bytes)
                                      : ReadSentencePieceModel(what, bytes);
  if (!spec.ok()) return spec.status();
  return FastTokenizer::Make(what, *std::move(spec));
}

}  // namespace clipglot

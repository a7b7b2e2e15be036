#include "vision/jpeg_codec.h"

#include <algorithm>
#include <csetjmp>
#include <cstdio>
#include <cstring>
#include <new>
#include <utility>

#include "base/strings.h"
#include "vision/jpeg_dct.h"

extern "C" {
#define JPEG_INTERNALS  // the inverse DCT is replaced by ours
#include "jpeglib.h"
}

namespace clipglot {
namespace {

// More scans than any encoder writes, and what they may cost in blocks before their number matters:
// each scan costs a walk over the whole picture, whatever its length in the file.
constexpr int kMaxScans = 256;
constexpr uint64_t kCheapBlocks = uint64_t{1} << 24;
// Blocks between two questions whether to stop: about a millisecond of work.
constexpr uint64_t kBlocksPerQuestion = 2048;
// The file is handed over in pieces, so that an endless walk over bytes that are no picture is
// asked too.
constexpr size_t kPiece = size_t{1} << 20;

// libjpeg's DSTATE_PRELOAD, which it keeps to itself.
constexpr int kReadingScans = 203;

// What may be wrong without ending the work; a bit each.
enum Flaw : uint32_t {
  kEndsEarly = 1,      // data of a scan or of a part between restart markers
  kBadCodes = 2,       // bits that mean nothing, or bytes too many
  kResync = 4,         // restart markers missing or out of order
  kScanOrder = 8,      // a progressive scan refines what never came
  kScansMissing = 16,  // a progressive picture without its last refinements
  kNoComponent = 32,   // a colour without any data
};

}  // namespace

struct JpegCodec::Session {
  jpeg_decompress_struct jpeg;
  jpeg_error_mgr errors;
  jpeg_source_mgr source;
  jpeg_progress_mgr progress;
  std::jmp_buf refused;
  const uint8_t* file_end;
  CallObserver* observer;
  bool stopped, too_many_scans;
  uint64_t unasked_blocks;  // work since the last question
  uint64_t blocks_read;     // of all scans
  uint32_t seen;            // bit i: component i was in a scan
  uint32_t flaws;
  uint32_t first_missing_row;  // of pixels, where the data of the only scan ends
};

namespace {

using Session = JpegCodec::Session;
using Step = JpegCodec::Step;

Session* SessionOf(j_common_ptr jpeg) { return static_cast<Session*>(jpeg->client_data); }
Session* SessionOf(j_decompress_ptr jpeg) { return static_cast<Session*>(jpeg->client_data); }

[[noreturn]] void Refuse(j_common_ptr jpeg) { std::longjmp(SessionOf(jpeg)->refused, 1); }

void Note(j_common_ptr jpeg, int level) {
  if (level >= 0) return;  // not a warning
  Session& session = *SessionOf(jpeg);
  ++session.errors.num_warnings;
  switch (session.errors.msg_code) {
    case JWRN_HIT_MARKER:
      if ((session.flaws & kEndsEarly) == 0) {
        session.first_missing_row = session.jpeg.input_iMCU_row *
                                    static_cast<uint32_t>(session.jpeg.max_v_samp_factor) * DCTSIZE;
      }
      session.flaws |= kEndsEarly;
      break;
    case JWRN_HUFF_BAD_CODE:
    case JWRN_ARITH_BAD_CODE:
      session.flaws |= kBadCodes;
      break;
    case JWRN_EXTRANEOUS_DATA:
      // Between the segments bytes too many do no harm.
      if (session.seen != 0) session.flaws |= kBadCodes;
      break;
    case JWRN_MUST_RESYNC:
      session.flaws |= kResync;
      break;
    case JWRN_BOGUS_PROGRESSION:
      session.flaws |= kScanOrder;
      break;
    default:
      break;
  }
}

void SayNothing(j_common_ptr) {}
void NoText(j_common_ptr, char* text) { text[0] = 0; }
void ResetErrors(j_common_ptr jpeg) { jpeg->err->num_warnings = 0; }
void DoNothing(j_decompress_ptr) {}

// Asks every few thousand blocks; `blocks`: the work that comes next.
void Ask(Session* session, uint64_t blocks) {
  session->unasked_blocks += blocks;
  if (session->unasked_blocks < kBlocksPerQuestion) return;
  session->unasked_blocks = 0;
  if (session->observer != nullptr && !session->observer->Continue()) {
    session->stopped = true;
    std::longjmp(session->refused, 1);
  }
}

// Before each row of blocks of each scan of a picture with many, and before each row of pixels.
void OnProgress(j_common_ptr common) {
  Session* session = SessionOf(common);
  const jpeg_decompress_struct& jpeg = session->jpeg;
  const bool scanning = jpeg.global_state == kReadingScans;
  for (int i = 0; i < jpeg.comps_in_scan; ++i)
    session->seen |= 1u << jpeg.cur_comp_info[i]->component_index;
  if (!scanning) return Ask(session, jpeg.output_width / DCTSIZE / 2 + 1);
  const uint64_t blocks = uint64_t{jpeg.MCUs_per_row} * static_cast<uint64_t>(jpeg.blocks_in_MCU);
  session->blocks_read += blocks;
  if (jpeg.input_scan_number > kMaxScans && session->blocks_read > kCheapBlocks) {
    session->too_many_scans = true;
    std::longjmp(session->refused, 1);
  }
  Ask(session, blocks);
}

// The next piece of the file. None left: libjpeg suspends, as with PIL at the end of the file.
boolean NextPiece(j_decompress_ptr jpeg) {
  Session* session = SessionOf(jpeg);
  const uint8_t* next = session->source.next_input_byte + session->source.bytes_in_buffer;
  const size_t left = static_cast<size_t>(session->file_end - next);
  if (left == 0) return FALSE;
  Ask(session, kBlocksPerQuestion);
  session->source.next_input_byte = next;
  session->source.bytes_in_buffer = std::min(left, kPiece);
  return TRUE;
}

void Skip(j_decompress_ptr jpeg, long count) {
  if (count <= 0) return;
  jpeg_source_mgr& source = SessionOf(jpeg)->source;
  const auto left = static_cast<size_t>(SessionOf(jpeg)->file_end - source.next_input_byte);
  const size_t skipped = std::min(static_cast<size_t>(count), left);
  source.next_input_byte += skipped;
  source.bytes_in_buffer -= std::min(skipped, source.bytes_in_buffer);
}

void InverseDct(j_decompress_ptr, jpeg_component_info* component, JCOEFPTR coefficients,
                JSAMPARRAY rows, JDIMENSION column) {
  JpegInverseDct(coefficients, static_cast<const int*>(component->dct_table), rows, column);
}

// Below, each function that calls libjpeg sets the place to return to first, and holds nothing that
// must be destroyed.

bool Open(Session* session) {
  if (setjmp(session->refused) != 0) return false;
  jpeg_create_decompress(&session->jpeg);
  return true;
}

// libjpeg guesses what it never got (it smooths); what that was is looked up before it is
// forgotten.
void LookForMissing(Session* session) {
  const jpeg_decompress_struct& jpeg = session->jpeg;
  for (int i = 0; i < jpeg.num_components; ++i) {
    if (session->jpeg.inputctl->has_multiple_scans && (session->seen >> i & 1) == 0)
      session->flaws |= kNoComponent;
    if (!jpeg.progressive_mode || jpeg.coef_bits == nullptr) continue;
    for (int k = 0; k < DCTSIZE2; ++k) {
      if (jpeg.coef_bits[i][k] != 0) session->flaws |= kScansMissing;
    }
  }
}

}  // namespace

Result<JpegCodec> JpegCodec::Create(std::span<const std::byte> file, CallObserver* observer) {
  const Status refused(Code::kOutOfMemory, "cannot allocate the JPEG decoder");
  auto* session = new (std::nothrow) Session;
  if (session == nullptr) return refused;
  std::memset(static_cast<void*>(session), 0, sizeof(*session));
  JpegCodec codec(std::unique_ptr<Session, Free>{session});
  session->observer = observer;
  session->errors.error_exit = Refuse;
  session->errors.emit_message = Note;
  session->errors.output_message = SayNothing;
  session->errors.format_message = NoText;
  session->errors.reset_error_mgr = ResetErrors;
  session->jpeg.err = &session->errors;
  session->jpeg.client_data = session;
  if (!Open(session)) return refused;
  const auto* bytes = reinterpret_cast<const uint8_t*>(file.data());
  session->file_end = bytes + file.size();
  session->source.next_input_byte = bytes;
  session->source.init_source = DoNothing;
  session->source.fill_input_buffer = NextPiece;
  session->source.skip_input_data = Skip;
  session->source.resync_to_restart = jpeg_resync_to_restart;
  session->source.term_source = DoNothing;
  session->progress.progress_monitor = OnProgress;
  session->jpeg.src = &session->source;
  session->jpeg.progress = &session->progress;
  return codec;
}

void JpegCodec::Free::operator()(Session* session) const {
  jpeg_destroy_decompress(&session->jpeg);
  delete session;
}

Step JpegCodec::ReadHeader() {
  Session* const session = session_.get();
  if (setjmp(session->refused) != 0) return Step::kRefused;
  int found = 0;
  // Tables may come as a picture of their own.
  do found = jpeg_read_header(&session->jpeg, FALSE);
  while (found == JPEG_HEADER_TABLES_ONLY);
  return found == JPEG_SUSPENDED ? Step::kCut : Step::kDone;
}

Step JpegCodec::Start() {
  Session* const session = session_.get();
  if (setjmp(session->refused) != 0) return Step::kRefused;
  const int components = session->jpeg.num_components;
  session->jpeg.out_color_space = components == 1   ? JCS_GRAYSCALE
                                  : components == 3 ? JCS_RGB
                                                    : JCS_CMYK;
  if (!jpeg_start_decompress(&session->jpeg)) return Step::kCut;
  for (int i = 0; i < components; ++i) session->jpeg.idct->inverse_DCT[i] = InverseDct;
  LookForMissing(session);
  return Step::kDone;
}

Step JpegCodec::ReadRow(uint8_t* out) {
  Session* const session = session_.get();
  if (setjmp(session->refused) != 0) return Step::kRefused;
  JSAMPROW rows[1] = {out};
  return jpeg_read_scanlines(&session->jpeg, rows, 1) == 1 ? Step::kDone : Step::kCut;
}

Step JpegCodec::Finish() {
  Session* const session = session_.get();
  if (setjmp(session->refused) != 0) return Step::kRefused;
  return jpeg_finish_decompress(&session->jpeg) ? Step::kDone : Step::kCut;
}

uint32_t JpegCodec::width() const { return session_->jpeg.image_width; }
uint32_t JpegCodec::height() const { return session_->jpeg.image_height; }
uint32_t JpegCodec::components() const {
  return static_cast<uint32_t>(session_->jpeg.num_components);
}
bool JpegCodec::arithmetic() const { return session_->jpeg.arith_code; }

uint64_t JpegCodec::blocks() const {
  const jpeg_decompress_struct& jpeg = session_->jpeg;
  uint64_t sum = 0;
  for (int i = 0; i < jpeg.num_components; ++i) {
    sum += uint64_t{jpeg.comp_info[i].width_in_blocks} * jpeg.comp_info[i].height_in_blocks;
  }
  return sum;
}

Status JpegCodec::Refusal() const {
  if (session_->stopped) return {Code::kCancelled, "decoding was stopped"};
  if (session_->too_many_scans)
    return {Code::kInvalidImage, StrCat("JPEG with more than ", kMaxScans, " scans")};
  const int number = session_->errors.msg_parm.i[0];
  const auto damaged = [](std::string_view what) {
    return Status(Code::kInvalidImage, StrCat("damaged JPEG: ", what));
  };
  switch (session_->errors.msg_code) {
    case JERR_OUT_OF_MEMORY:
      return {Code::kOutOfMemory, "cannot allocate memory for decoding a JPEG"};
    case JERR_SOF_UNSUPPORTED:
      return {
          Code::kInvalidImage,
          StrCat("JPEG of an unsupported kind (lossless or hierarchical, marker ", number, ")")};
    case JERR_NO_QUANT_TABLE:
      return damaged(StrCat("its quantisation table ", number, " is missing"));
    case JERR_NO_HUFF_TABLE:
      return damaged(StrCat("its Huffman table ", number, " is missing"));
    case JERR_BAD_HUFF_TABLE:
    case JERR_DHT_INDEX:
      return damaged("a Huffman table makes no sense");
    case JERR_DQT_INDEX:
      return damaged("a quantisation table has a wrong number");
    case JERR_BAD_LENGTH:
      return damaged("a segment has a wrong length");
    case JERR_BAD_PROGRESSION:
      return damaged("a progressive scan makes no sense");
    case JERR_EOI_EXPECTED:
      return damaged("more scans than its picture has parts");
    case JERR_UNKNOWN_MARKER:
      return damaged(StrCat("an unknown marker (", number, ")"));
    case JERR_SOF_DUPLICATE:
      return damaged("two frame headers");
    case JERR_SOI_DUPLICATE:
      return damaged("another picture begins inside it");
    case JERR_SOF_NO_SOS:
    case JERR_SOS_NO_SOF:
      return damaged("its frame header and scans do not go together");
    case JERR_BAD_COMPONENT_ID:
      return damaged(StrCat("a scan of a component ", number, " that does not exist"));
    case JERR_BAD_SAMPLING:
    case JERR_BAD_MCU_SIZE:
      return damaged("its sampling factors make no sense");
    case JERR_FRACT_SAMPLE_NOTIMPL:
      return {Code::kInvalidImage, "JPEG with fractional subsampling"};
    case JERR_IMAGE_TOO_BIG:
      return {Code::kInvalidImage, StrCat("JPEG with a side of more than ", number, " pixels")};
    case JERR_CANT_SUSPEND:
      return {Code::kInvalidImage, "truncated JPEG: the file ends before its end marker"};
    default:
      return damaged(StrCat("bad data (", session_->errors.msg_code, ")"));
  }
}

std::vector<std::string> JpegCodec::Warnings() const {
  const Session& session = *session_;
  std::vector<std::string> out;
  const auto say = [&](uint32_t flaw, std::string text) {
    if ((session.flaws & flaw) != 0) out.push_back(std::move(text));
  };
  const bool once = session.blocks_read == 0 && (session.flaws & kResync) == 0;  // one scan
  say(kEndsEarly, once ? StrCat("the JPEG data ends early: from row ", session.first_missing_row,
                                " of ", session.jpeg.image_height, " on the picture is incomplete")
                       : std::string("JPEG data ends early: parts of the picture are missing"));
  say(kBadCodes, "the JPEG data is damaged: parts of the picture are wrong");
  say(kResync,
      "restart markers of the JPEG are missing or out of order: parts of the picture may be wrong");
  say(kScanOrder | kScansMissing,
      "scans of the progressive JPEG are missing: the picture is coarser than it was meant to be");
  say(kNoComponent, "a colour component of the JPEG has no data");
  return out;
}

}  // namespace clipglot

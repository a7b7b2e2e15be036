// A loaded model, as JavaScript holds it: Engine in the plain objects of result_objects.h.
//
// Lifetime: JavaScript makes and deletes it. Methods other than Create need a Create that succeeded
// before. What an answer points to is valid until the engine's next call.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "call_observer.h"
#include "engine/engine.h"
#include "result_objects.h"
#include "stage_keeper.h"

namespace clipglot {

class EngineHandle {
 public:
  StatusObject Create(const EngineOptionsObject& in);

  // The conversation of loading (engine/engine.h). All files first, then BeginLoad.
  void AddFile(const std::string& path, double bytes);
  StatusObject BeginLoad();
  RangeObject Want() const;
  MemoryObject Reserve();
  // `sha256`: of the range, or empty.
  StatusObject Commit(const std::string& sha256);
  // After the load: `json` as Engine::TestSelf takes it.
  StatusObject TestSelf(const std::string& json);
  double TotalBytes() const { return static_cast<double>(engine_->total_bytes()); }
  double ReadBytes() const { return static_cast<double>(engine_->read_bytes()); }
  bool Ready() const { return engine_->ready(); }
  EngineInfoObject Info() const;

  EmbeddingObject EmbedText(double text, double bytes, const TextOptionsObject& in);
  // `texts`: of `count` texts the lengths in bytes (uint32), then their bytes, contiguous. Takes as
  // many of the first as Engine::EmbedTexts does.
  EmbeddingsObject EmbedTexts(double texts, double count, const TextOptionsObject& in);
  EmbeddingObject EmbedEncodedImage(double file, double bytes, const ImageOptionsObject& in);
  EmbeddingObject EmbedPixels(double rgba, double bytes, double width, double height,
                              const ImageOptionsObject& in);
  EmbeddingObject Truncate(double vector, double count, double dimensions);
  TokenCountObject CountTokens(double text, double bytes, const TextOptionsObject& in);

  int ThreadsSeen() const { return static_cast<int>(engine_->threads_seen()); }

  void StartProfile() { engine_->profile().Start(); }
  // What was counted since the last time this was asked.
  ProfileEntryArray TakeProfile();

  // From now on the stages of each call are kept until the next one, or no longer.
  void SetTracing(bool on);
  int StageCount() const { return keeper_.count(); }
  StageObject Stage(int index) const { return keeper_.Get(index); }

 private:
  // What the next call is given; the stages of the last one are forgotten.
  CallContext BeginCall();

  std::unique_ptr<Engine> engine_;
  std::vector<FileEntry> files_;
  ModuleObserver observer_;
  StageKeeper keeper_;
  std::vector<uint8_t> truncated_;  // what EmbedTexts gave
  std::vector<uint32_t> unknown_;
  bool tracing_ = false;
};

}  // namespace clipglot

//go:build !noapm && !webrtc1

// The library of before 2021 (0.3), as Debian 12 and Ubuntu 24.04 have it.

#include "apm.h"

#include <memory>
#include <string.h>

#include <webrtc/modules/audio_processing/include/audio_processing.h>
#include <webrtc/modules/interface/module_common_types.h>

using webrtc::AudioProcessing;

namespace {

const int kException = -100;

// The library keeps to a level of its own unless told; these are what Chromium tells it.
const int kTargetLevel = 3, kCompression = 9; // dB below full scale, dB

void prepare(webrtc::AudioFrame &f) {
  f.sample_rate_hz_ = AudioProcessing::kSampleRate48kHz;
  f.samples_per_channel_ = APM_BLOCK;
  f.num_channels_ = 1;
}

} // namespace

struct apm {
  std::unique_ptr<AudioProcessing> p;
  webrtc::AudioFrame near;
  int flags;
};

apm *apm_new(void) try {
  std::unique_ptr<apm> a(new apm());
  a->p.reset(AudioProcessing::Create());
  if (!a->p) return nullptr;
  const webrtc::StreamConfig mono(AudioProcessing::kSampleRate48kHz, 1);
  if (a->p->Initialize({{mono, mono, mono, mono}}) != 0) return nullptr;
  prepare(a->near);
  return a.release();
} catch (...) {
  return nullptr;
}

void apm_free(apm *a) { delete a; }

int apm_far(apm *, const int16_t *) { return AudioProcessing::kUnsupportedComponentError; }

int apm_configure(apm *a, int flags) try {
  if (flags & APM_ECHO) return AudioProcessing::kUnsupportedComponentError;
  AudioProcessing &p = *a->p;
  webrtc::GainControl &gain = *p.gain_control();
  int err = p.high_pass_filter()->Enable(flags & APM_HIGH_PASS);
  if (!err) err = p.noise_suppression()->set_level(webrtc::NoiseSuppression::kHigh);
  if (!err) err = p.noise_suppression()->Enable(flags & APM_NOISE);
  if (!err) err = gain.set_mode(webrtc::GainControl::kAdaptiveDigital);
  if (!err) err = gain.set_target_level_dbfs(kTargetLevel);
  if (!err) err = gain.set_compression_gain_db(kCompression);
  if (!err) err = gain.enable_limiter(true);
  if (!err) err = gain.Enable(flags & APM_GAIN);
  if (!err) err = p.voice_detection()->set_likelihood(webrtc::VoiceDetection::kLowLikelihood);
  if (!err) err = p.voice_detection()->Enable(flags & APM_VOICE);
  if (!err) a->flags = flags;
  return err;
} catch (...) {
  return kException;
}

int apm_process(apm *a, int16_t *pcm, int *voice) try {
  memcpy(a->near.data_, pcm, APM_BLOCK * sizeof *pcm);
  int err = a->p->ProcessStream(&a->near);
  if (err) return err;
  memcpy(pcm, a->near.data_, APM_BLOCK * sizeof *pcm);
  *voice = a->flags & APM_VOICE ? a->p->voice_detection()->stream_has_voice() : -1;
  return 0;
} catch (...) {
  return kException;
}

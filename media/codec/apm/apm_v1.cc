//go:build !noapm && webrtc1

// The library from 1.0 on, as Debian 13 has it (1.3).
#include "apm.h"

#include <memory>

#include <modules/audio_processing/include/audio_processing.h>

using webrtc::AudioProcessing;

namespace {

const int kException = -100;

// What Chromium sets.
const int kTargetLevel = 3, kCompression = 9; // dB below full scale, dB

const webrtc::StreamConfig mono(AudioProcessing::kSampleRate48kHz, 1);

} // namespace

struct apm {
  rtc::scoped_refptr<AudioProcessing> p;
  int flags;
};

apm *apm_new(void) try {
  std::unique_ptr<apm> a(new apm());
  a->p = webrtc::AudioProcessingBuilder().Create();
  if (!a->p || a->p->Initialize({{mono, mono, mono, mono}}) != 0) return nullptr;
  return a.release();
} catch (...) {
  return nullptr;
}

void apm_free(apm *a) { delete a; }

int apm_configure(apm *a, int flags) try {
  AudioProcessing::Config c;
  c.pipeline.maximum_internal_processing_rate = AudioProcessing::kSampleRate48kHz;
  c.high_pass_filter.enabled = flags & APM_HIGH_PASS;
  c.noise_suppression.enabled = flags & APM_NOISE;
  c.noise_suppression.level = AudioProcessing::Config::NoiseSuppression::kHigh;
  c.gain_controller1.enabled = flags & APM_GAIN;
  c.gain_controller1.mode = AudioProcessing::Config::GainController1::kAdaptiveDigital;
  c.gain_controller1.target_level_dbfs = kTargetLevel;
  c.gain_controller1.compression_gain_db = kCompression;
  c.gain_controller1.enable_limiter = true;
  c.voice_detection.enabled = flags & APM_VOICE;
  c.echo_canceller.enabled = flags & APM_ECHO;
  c.echo_canceller.enforce_high_pass_filtering = false;
  c.residual_echo_detector.enabled = false;
  a->p->ApplyConfig(c);
  a->flags = flags;
  return 0;
} catch (...) {
  return kException;
}

int apm_far(apm *a, const int16_t *pcm) try {
  int16_t played[APM_BLOCK];
  return a->p->ProcessReverseStream(pcm, mono, mono, played);
} catch (...) {
  return kException;
}

int apm_process(apm *a, int16_t *pcm, int *voice) try {
  if (a->flags & APM_ECHO) a->p->set_stream_delay_ms(0); // it looks for the delay itself
  int err = a->p->ProcessStream(pcm, mono, mono, pcm);
  if (err) return err;
  *voice = -1;
  if (a->flags & APM_VOICE) *voice = a->p->GetStatistics().voice_detected.value_or(false);
  return 0;
} catch (...) {
  return kException;
}

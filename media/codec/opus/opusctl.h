// opus_encoder_ctl takes variable arguments, which cgo cannot call.
#ifndef PARLEY_OPUSCTL_H
#define PARLEY_OPUSCTL_H

#include <opus.h>

static inline int opusenc_configure(OpusEncoder *e, int bitrate, int loss_pct, int dtx, int music, int complexity) {
  int rc;
  if ((rc = opus_encoder_ctl(e, OPUS_SET_BITRATE(bitrate))) != OPUS_OK) return rc;
  if ((rc = opus_encoder_ctl(e, OPUS_SET_INBAND_FEC(loss_pct > 0 && !music))) != OPUS_OK) return rc;
  if ((rc = opus_encoder_ctl(e, OPUS_SET_PACKET_LOSS_PERC(loss_pct))) != OPUS_OK) return rc;
  if ((rc = opus_encoder_ctl(e, OPUS_SET_DTX(dtx))) != OPUS_OK) return rc;
  if ((rc = opus_encoder_ctl(e, OPUS_SET_COMPLEXITY(complexity))) != OPUS_OK) return rc;
  return opus_encoder_ctl(e, OPUS_SET_SIGNAL(music ? OPUS_SIGNAL_MUSIC : OPUS_AUTO));
}

// opusenc_application changes what the encoder is tuned for, which Opus allows only at
// the beginning of a stream.
static inline int opusenc_application(OpusEncoder *e, int music) {
  int rc = opus_encoder_ctl(e, OPUS_RESET_STATE);
  if (rc != OPUS_OK) return rc;
  return opus_encoder_ctl(e, OPUS_SET_APPLICATION(music ? OPUS_APPLICATION_AUDIO : OPUS_APPLICATION_VOIP));
}

#endif

// libvpx with every knob that the comparison turns.
#ifndef PARLEY_COMPARE_VPX_H
#define PARLEY_COMPARE_VPX_H

#include <stdint.h>
#include <vpx/vp8cx.h>
#include <vpx/vpx_encoder.h>

#define MAX_LAYERS 3

typedef struct {
  int vp9;
  unsigned width, height;
  unsigned threads;
  int speed;                  // cpu-used
  unsigned layers;            // spatial, each half as large as the next; 1 without SVC
  unsigned kbps[MAX_LAYERS];  // of each layer alone, smallest first
  int key_only;               // layers lean on the smaller one in keyframes only
  unsigned static_threshold, noise, partitions;
} knobs;

typedef struct encoder encoder;

vpx_codec_err_t encoder_new(encoder **out, const knobs *k);
vpx_codec_err_t encoder_encode(encoder *e, uint8_t *y, uint8_t *u, uint8_t *v, int ystride, int uvstride, int key);
// encoder_next returns the next piece of the frame coded last, or NULL after the last one.
const uint8_t *encoder_next(encoder *e, size_t *size);
void encoder_free(encoder *e);

#endif

// A thin wrapper around libvpx. It keeps libvpx's structs on the C side, so that Go passes plain pointers to
// its planes and no pointers to pointers.
#ifndef PARLEY_VPX_H
#define PARLEY_VPX_H

#include <stdint.h>
#include <vpx/vp8cx.h>
#include <vpx/vp8dx.h>
#include <vpx/vpx_decoder.h>
#include <vpx/vpx_encoder.h>

// Time stamps are in microseconds.
#define VPXENC_TIMEBASE 1000000

typedef struct {
  int vp9;
  unsigned width, height;
  unsigned kbps;
  unsigned buffer_ms;     // what rate control likes to have saved up
  int trim;               // throw away what is saved up beyond that
  unsigned threads;
  unsigned tile_columns;  // log2, VP9
  int speed;              // cpu-used
  int screen;
  unsigned max_quantizer;  // 0 to 63
  int temporal;            // two temporal layers, VP8
  unsigned max_intra_pct;  // of the mean frame's size
} vpxenc_settings;

typedef struct vpxenc vpxenc;

// vpxenc_new and vpxenc_configure return libvpx's status, VPX_CODEC_OK on success.
vpx_codec_err_t vpxenc_new(vpxenc **out, const vpxenc_settings *s);
vpx_codec_err_t vpxenc_configure(vpxenc *e, const vpxenc_settings *s);
// vpxenc_encode codes a frame; temporal is its temporal layer, 0 while there is only one.
vpx_codec_err_t vpxenc_encode(vpxenc *e, uint8_t *y, uint8_t *u, uint8_t *v, int ystride, int uvstride,
                              int64_t pts, uint64_t duration, int key, int temporal);
// vpxenc_next returns the next piece of the frame coded last, or NULL after the last one.
const uint8_t *vpxenc_next(vpxenc *e, size_t *size, int *key);
void vpxenc_free(vpxenc *e);

typedef struct vpxdec vpxdec;

typedef struct {
  const uint8_t *y, *u, *v;
  int ystride, uvstride;
  unsigned width, height;
  int i420;
} vpxdec_frame;

vpx_codec_err_t vpxdec_new(vpxdec **out, int vp9, unsigned threads);
// vpxdec_decode writes the last frame that data shows, or one of width 0 if it shows none.
// A frame that libvpx patched up is VPX_CODEC_CORRUPT_FRAME.
vpx_codec_err_t vpxdec_decode(vpxdec *d, const uint8_t *data, size_t size, vpxdec_frame *out);
void vpxdec_free(vpxdec *d);

#endif

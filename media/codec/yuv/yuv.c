#include "yuv.h"

#include <libyuv/convert.h>
#include <libyuv/convert_argb.h>
#include <libyuv/planar_functions.h>
#include <libyuv/scale.h>

int yuv_scale(uint8_t *dy, uint8_t *du, uint8_t *dv, int dys, int duvs, int dw, int dh,
              const uint8_t *sy, const uint8_t *su, const uint8_t *sv, int sys, int suvs, int sw, int sh) {
  // libyuv's box sums rows in 16 bits, which overflow beyond 257 of them.
  enum FilterMode filter = sh / dh > 200 ? kFilterBilinear : kFilterBox;
  return I420Scale(sy, sys, su, suvs, sv, suvs, sw, sh, dy, dys, du, duvs, dv, duvs, dw, dh, filter);
}

int yuv_mirror(uint8_t *dy, uint8_t *du, uint8_t *dv, int dys, int duvs, const uint8_t *sy,
               const uint8_t *su, const uint8_t *sv, int sys, int suvs, int w, int h) {
  return I420Mirror(sy, sys, su, suvs, sv, suvs, dy, dys, du, duvs, dv, duvs, w, h);
}

// libyuv names byte orders by the little-endian word: its ABGR is R, G, B, A in memory.
int yuv_to_rgba(uint8_t *rgba, int stride, const uint8_t *sy, const uint8_t *su, const uint8_t *sv,
                int sys, int suvs, int w, int h) {
  return I420ToABGR(sy, sys, su, suvs, sv, suvs, rgba, stride, w, h);
}

// limit brings a full-range plane of JPEG (JFIF) into BT.601's limited range:
// (v*gain + offset) / 256, within half a step of exact, and in 16 bits so that the compiler
// makes SIMD of it. libyuv has no such function.
static void limit(uint8_t *p, int stride, int w, int h, uint16_t gain, uint16_t offset) {
  for (int y = 0; y < h; y++, p += stride) {
    for (int x = 0; x < w; x++) p[x] = (uint8_t)((uint16_t)(p[x] * gain + offset) >> 8);
  }
}

void yuv_plane(uint8_t *dst, int ds, int dw, int dh, const uint8_t *src, int ss, int sw, int sh,
               int bits, int range, uint8_t *scratch) {
  if (bits > 8) {
    Convert16To8Plane((const uint16_t *)src, ss, scratch, sw, 1 << (24 - bits), sw, sh);
    src = scratch;
    ss = sw;
  }
  // libyuv's box sums rows in 16 bits, which overflow beyond 257 of them.
  ScalePlane(src, ss, sw, sh, dst, ds, dw, dh, sh / dh > 200 ? kFilterBilinear : kFilterBox);
  if (range == YUV_LIMIT_LUMA) limit(dst, ds, dw, dh, 220, 16 * 256 + 128);
  if (range == YUV_LIMIT_CHROMA) limit(dst, ds, dw, dh, 225, 16 * 256);
}

int yuv_from(int format, uint8_t *dy, uint8_t *du, uint8_t *dv, int dys, int duvs, int w, int h,
             const uint8_t *data, size_t size, int stride) {
  switch (format) {
    case YUV_MJPEG: {
      int err = MJPGToI420(data, size, dy, dys, du, duvs, dv, duvs, w, h, w, h);
      if (err != 0) return err;
      int cw = (w + 1) / 2, ch = (h + 1) / 2;
      limit(dy, dys, w, h, 220, 16 * 256 + 128);
      limit(du, duvs, cw, ch, 225, 16 * 256);
      limit(dv, duvs, cw, ch, 225, 16 * 256);
      return 0;
    }
    case YUV_YUY2:
      return YUY2ToI420(data, stride, dy, dys, du, duvs, dv, duvs, w, h);
    case YUV_UYVY:
      return UYVYToI420(data, stride, dy, dys, du, duvs, dv, duvs, w, h);
    case YUV_NV12:
      return NV12ToI420(data, stride, data + (size_t)stride * h, stride, dy, dys, du, duvs, dv, duvs, w, h);
    case YUV_I420: {
      int cs = (stride + 1) / 2;
      const uint8_t *u = data + (size_t)stride * h, *v = u + (size_t)cs * ((h + 1) / 2);
      return I420Copy(data, stride, u, cs, v, cs, dy, dys, du, duvs, dv, duvs, w, h);
    }
    case YUV_BGRA:
      return ARGBToI420(data, stride, dy, dys, du, duvs, dv, duvs, w, h);
    case YUV_RGBA:
      return ABGRToI420(data, stride, dy, dys, du, duvs, dv, duvs, w, h);
  }
  return -1;
}

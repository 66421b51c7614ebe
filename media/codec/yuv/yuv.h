// What the package uses of libyuv. Debian's libyuv has C headers but no pkg-config file.
#ifndef PARLEY_YUV_H
#define PARLEY_YUV_H

#include <stddef.h>
#include <stdint.h>

// Each returns 0 when it worked.
int yuv_scale(uint8_t *dy, uint8_t *du, uint8_t *dv, int dys, int duvs, int dw, int dh,
              const uint8_t *sy, const uint8_t *su, const uint8_t *sv, int sys, int suvs, int sw, int sh);
int yuv_mirror(uint8_t *dy, uint8_t *du, uint8_t *dv, int dys, int duvs, const uint8_t *sy,
               const uint8_t *su, const uint8_t *sv, int sys, int suvs, int w, int h);
int yuv_to_rgba(uint8_t *rgba, int stride, const uint8_t *sy, const uint8_t *su, const uint8_t *sv,
                int sys, int suvs, int w, int h);

enum { YUV_MJPEG, YUV_YUY2, YUV_UYVY, YUV_NV12, YUV_I420, YUV_BGRA, YUV_RGBA };

// yuv_from converts size bytes of data, whose rows are stride bytes apart.
int yuv_from(int format, uint8_t *dy, uint8_t *du, uint8_t *dv, int dys, int duvs, int w, int h,
             const uint8_t *data, size_t size, int stride);

enum { YUV_KEEP, YUV_LIMIT_LUMA, YUV_LIMIT_CHROMA };

// yuv_plane scales a plane of sw by sh samples, whose rows are ss samples apart, to dw by dh, and brings
// it to limited range as told. Samples of more than 8 bits are of two bytes, and scratch has room for
// sw times sh bytes.
void yuv_plane(uint8_t *dst, int ds, int dw, int dh, const uint8_t *src, int ss, int sw, int sh,
               int bits, int range, uint8_t *scratch);

#endif

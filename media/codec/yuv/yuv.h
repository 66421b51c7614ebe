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

#endif

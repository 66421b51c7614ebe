#include "fft.h"

#include <math.h>

enum { HALF = FFT_SIZE / 2 };

void fft_init(fft *f) {
  for (int i = 0; i < HALF; i++) {
    double a = 2 * M_PI * i / FFT_SIZE;
    f->cos[i] = (float)cos(a);
    f->sin[i] = (float)sin(a);
  }
}

// pass does one stage of Stockham's radix-2 transform of HALF complex points: stride
// interleaved transforms of length n become twice as many of half the length.
static void pass(const fft *f, int n, int stride, const float *restrict xr, const float *restrict xi,
                 float *restrict yr, float *restrict yi) {
  int m = n / 2;
  for (int p = 0; p < m; p++) {
    float c = f->cos[p * 2 * stride], s = f->sin[p * 2 * stride];
    const float *ar = xr + stride * p, *ai = xi + stride * p, *br = ar + stride * m, *bi = ai + stride * m;
    float *ur = yr + 2 * stride * p, *ui = yi + 2 * stride * p, *vr = ur + stride, *vi = ui + stride;
    for (int q = 0; q < stride; q++) {
      float dr = ar[q] - br[q], di = ai[q] - bi[q];
      ur[q] = ar[q] + br[q];
      ui[q] = ai[q] + bi[q];
      vr[q] = dr * c + di * s;
      vi[q] = di * c - dr * s;
    }
  }
}

// transform works on work[0] and work[1] and says where the result is: 0 or 2.
static int transform(fft *f) {
  int from = 0;
  for (int n = HALF, stride = 1; n > 1; n /= 2, stride *= 2) {
    pass(f, n, stride, f->work[from], f->work[from + 1], f->work[2 - from], f->work[3 - from]);
    from = 2 - from;
  }
  return from;
}

void fft_forward(fft *f, const float *x, spectrum *out) {
  for (int i = 0; i < HALF; i++) {
    f->work[0][i] = x[2 * i];
    f->work[1][i] = x[2 * i + 1];
  }
  int at = transform(f);
  const float *zr = f->work[at], *zi = f->work[at + 1];
  out->re[0] = zr[0] + zi[0];
  out->re[HALF] = zr[0] - zi[0];
  out->im[0] = out->im[HALF] = 0;
  for (int k = 1; k < HALF; k++) {
    // The even samples have the spectrum e, the odd ones o.
    float er = (zr[k] + zr[HALF - k]) / 2, ei = (zi[k] - zi[HALF - k]) / 2;
    float or = (zi[k] + zi[HALF - k]) / 2, oi = (zr[HALF - k] - zr[k]) / 2;
    float c = f->cos[k], s = f->sin[k];
    out->re[k] = er + or * c + oi * s;
    out->im[k] = ei + oi * c - or * s;
  }
}

void fft_inverse(fft *f, const spectrum *in, float *x) {
  // The inverse is the forward transform with real and imaginary parts swapped.
  for (int k = 0; k < HALF; k++) {
    float ar = in->re[k], ai = in->im[k], br = in->re[HALF - k], bi = -in->im[HALF - k];
    float er = ar + br, ei = ai + bi, dr = ar - br, di = ai - bi;
    float c = f->cos[k], s = f->sin[k];
    float or = dr * c - di * s, oi = di * c + dr * s;
    f->work[1][k] = er - oi;
    f->work[0][k] = ei + or;
  }
  int at = transform(f);
  const float scale = 1.0f / FFT_SIZE;
  for (int i = 0; i < HALF; i++) {
    x[2 * i] = f->work[at + 1][i] * scale;
    x[2 * i + 1] = f->work[at][i] * scale;
  }
}

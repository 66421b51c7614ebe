// The filter: what the microphone hears of the speaker, and how sure that is.
#include "echo_state.h"

#include <string.h>

// What the filter does not know at first, of each tap of it, as a gain squared.
static const float P0 = 0.05f;
// How much of a tap is still true a block later, squared: rooms change within seconds.
static const float KEEP = 0.9995f;

// A filter that leaves so much more than there was, for so many blocks, is of another room.
static const float WORSE = 1.1f;
enum { DOUBT = 10 };

// echo_forget has the filter begin anew, and with it all that was concluded from it.
void echo_forget(echo *e) {
  memset(e->w, 0, sizeof e->w);
  for (int p = 0; p < P; p++)
    for (int k = 0; k < K; k++) e->p[p][k] = P0;
  for (int k = 0; k < K; k++) e->leak[k] = 0.1f;
  memset(e->near_psd, 0, sizeof e->near_psd);
  memset(e->s_ye_re, 0, sizeof e->s_ye_re);
  memset(e->s_ye_im, 0, sizeof e->s_ye_im);
  memset(e->s_yy, 0, sizeof e->s_yy);
  memset(e->s_mm, 0, sizeof e->s_mm);
  e->step = 1;
}

// echo_move has the filter begin d blocks later.
void echo_move(echo *e, int d) {
  if (d >= P || d <= -P) {
    echo_forget(e);
  } else if (d > 0) {
    memmove(e->w, e->w + d, (P - d) * sizeof e->w[0]);
    memmove(e->p, e->p + d, (P - d) * sizeof e->p[0]);
    memset(e->w + P - d, 0, d * sizeof e->w[0]);
    for (int p = P - d; p < P; p++)
      for (int k = 0; k < K; k++) e->p[p][k] = P0;
  } else if (d < 0) {
    d = -d;
    memmove(e->w + d, e->w, (P - d) * sizeof e->w[0]);
    memmove(e->p + d, e->p, (P - d) * sizeof e->p[0]);
    memset(e->w, 0, d * sizeof e->w[0]);
    for (int p = 0; p < d; p++)
      for (int k = 0; k < K; k++) e->p[p][k] = P0;
  }
  e->offset += d;
}

// echo_filter writes what the microphone hears of the speaker according to w, and how sure that is.
void echo_filter(echo *e, float *y) {
  spectrum s;
  memset(&s, 0, sizeof s);
  memset(e->uncertain, 0, sizeof e->uncertain);
  for (int p = 0; p < P; p++) {
    const float *restrict xr = far_at(e, e->offset + p)->re, *restrict xi = far_at(e, e->offset + p)->im;
    const float *restrict wr = e->w[p].re, *restrict wi = e->w[p].im, *restrict pp = e->p[p];
    float *restrict sr = s.re, *restrict si = s.im, *restrict u = e->uncertain;
    for (int k = 0; k < K; k++) {
      sr[k] += xr[k] * wr[k] - xi[k] * wi[k];
      si[k] += xr[k] * wi[k] + xi[k] * wr[k];
      u[k] += (xr[k] * xr[k] + xi[k] * xi[k]) * pp[k];
    }
  }
  float t[FFT_SIZE];
  fft_inverse(&e->f, &s, t);
  memcpy(y, t + FFT_SIZE - B, B * sizeof(float));
}

// echo_adapt is the Kalman filter's step for the error err of the last block.
void echo_adapt(echo *e, const float *err) {
  float t[FFT_SIZE] = {0};
  memcpy(t + FFT_SIZE - B, err, B * sizeof(float));
  spectrum s;
  fft_forward(&e->f, t, &s);
  const float r = (float)B / FFT_SIZE;
  float gr[K], gi[K], inv[K];
  for (int k = 0; k < K; k++) {
    float ee = s.re[k] * s.re[k] + s.im[k] * s.im[k];
    float a = ee > e->near_psd[k] ? 0.5f : 0.1f;
    e->near_psd[k] += a * (ee - e->near_psd[k]);
    inv[k] = 1 / (e->uncertain[k] + e->near_psd[k] / r + 1e3f);
    gr[k] = s.re[k] * inv[k];
    gi[k] = s.im[k] * inv[k];
  }
  for (int p = 0; p < P; p++) {
    const float *restrict xr = far_at(e, e->offset + p)->re, *restrict xi = far_at(e, e->offset + p)->im;
    float *restrict wr = e->w[p].re, *restrict wi = e->w[p].im, *restrict pp = e->p[p];
    for (int k = 0; k < K; k++) {
      wr[k] += pp[k] * (xr[k] * gr[k] + xi[k] * gi[k]);
      wi[k] += pp[k] * (xr[k] * gi[k] - xi[k] * gr[k]);
      float q = 1 - r * pp[k] * (xr[k] * xr[k] + xi[k] * xi[k]) * inv[k];
      pp[k] = KEEP * pp[k] * q + (1 - KEEP) * (wr[k] * wr[k] + wi[k] * wi[k]);
    }
  }
  for (int i = 0; i < 2; i++) {
    e->constrain = (e->constrain + 1) % P;
    fft_inverse(&e->f, &e->w[e->constrain], t);
    memset(t + B, 0, (FFT_SIZE - B) * sizeof(float));
    fft_forward(&e->f, t, &e->w[e->constrain]);
  }
}

// echo_doubt begins anew when the filter adds to the sound rather than takes from it. Whoever speaks here
// only adds to both: it is another room, or another way through it. The clocks are the same as before.
void echo_doubt(echo *e, float mic, float err) {
  e->mic += 0.1f * (mic - e->mic);
  e->err += 0.1f * (err - e->err);
  if (e->err < WORSE * e->mic) {
    e->worse = 0;
    return;
  }
  if (++e->worse < DOUBT) return;
  double step = e->step;
  echo_forget(e);
  e->step = step;
  e->worse = 0;
}

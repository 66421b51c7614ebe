// The filter: it estimates the echo, and the uncertainty of that estimate.
#include "echo_state.h"

#include <string.h>

// The initial uncertainty of each tap, as a squared gain.
static const float P0 = 0.05f;
// The forgetting factor of a tap for each block, squared: rooms change within seconds.
static const float KEEP = 0.9995f;

// The filter has diverged when its residual exceeds the microphone's energy by this factor for so many
// blocks.
static const float WORSE = 1.1f;
enum { DOUBT = 10 };

// echo_forget resets the filter, and all estimates that depend on it.
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

// echo_move shifts the filter to a delay that is d blocks longer.
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

// echo_filter writes the estimate of the echo to y, and its uncertainty to e.
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

// echo_adapt is the Kalman filter's update with the residual of the last block.
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

// echo_doubt resets a filter that has diverged: it adds energy instead of removing it. Near-end speech
// cannot cause that, since it is in both sums; a changed echo path does. The drift estimate is kept.
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

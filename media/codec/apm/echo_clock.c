// Drift between the clocks of speaker and microphone: what was played is resampled so that it stays aligned
// with its echo.
#include "echo_state.h"

#include <math.h>
#include <string.h>

// The gains of the loop that follows the drift: the share of a lag that is corrected in each block, and the
// share that changes the rate. It settles in 2 s without overshoot.
static const float LOOP_P = 0.04f, LOOP_I = 4e-4f;
// Clocks differ by less than that; 100 ppm is common.
static const double DRIFT_MAX = 1e-3;

// echo_wants is how many samples echo_far takes next: B, more or less.
int echo_wants(const echo *e) {
  int n = (int)(e->at + (B - 1) * e->step) + SINC / 2 + 1 - e->filled;
  return n < 0 ? 0 : n;
}

// echo_resample writes the next block of far at the microphone's rate.
void echo_resample(echo *e, float *x) {
  for (int i = 0; i < B; i++) {
    double at = e->at + i * e->step;
    int n = (int)at;
    const float *restrict w = e->sinc[(int)((at - n) * PHASES + 0.5)], *restrict in = e->raw + n - (SINC / 2 - 1);
    float sum = 0;
    for (int k = 0; k < SINC; k++) sum += in[k] * w[k];
    x[i] = sum;
  }
  e->at += B * e->step;
  int drop = (int)e->at - SINC / 2;
  if (drop > e->filled) drop = e->filled;
  memmove(e->raw, e->raw + drop, (e->filled - drop) * sizeof(float));
  e->filled -= drop;
  e->at -= drop;
}

// echo_track steers the resampler so that the estimate stays aligned with the echo. The lag between them is
// the slope of the phase of their cross spectrum.
void echo_track(echo *e, float coh) {
  float num = 0, den = 1e-9f;
  for (int k = LOW; k < HIGH; k++) {
    float re = e->s_ye_re[k], im = e->s_ye_im[k];
    float c = square(re, im) / ((e->s_yy[k] + 1e3f) * (e->s_mm[k] + 1e3f));
    if (re <= 0) continue; // ambiguous
    float w = c * c;
    num += w * k * atan2f(im, re);
    den += w * k * k;
  }
  float trust = (coh - 0.4f) / 0.6f;
  if (trust <= 0 || den < 1000) return;
  float lag = -num / den * (FFT_SIZE / (2 * (float)M_PI)); // samples
  lag = fminf(fmaxf(lag, -2), 2) * trust;
  e->step -= LOOP_I * lag / B;
  e->step = fmin(fmax(e->step, 1 - DRIFT_MAX), 1 + DRIFT_MAX);
  e->at -= LOOP_P * lag;
  if (e->at < SINC / 2) e->at = SINC / 2;
}

double echo_drift(const echo *e) { return e->step - 1; }

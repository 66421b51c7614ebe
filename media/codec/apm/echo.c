// The echo canceller's entry points: first a block of what was played, then one of the microphone.
#include "echo_state.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void echo_reset(echo *e) {
  char *rest = (char *)e->far; // fft and interpolator stay
  memset(rest, 0, (char *)(e + 1) - rest);
  e->filled = SINC;
  e->at = SINC / 2;
  e->step = 1;
  e->offset = 0;
  e->wanted = -1;
  e->quiet = H + 4;
  e->random = 1;
  for (int i = 0; i < RAMP; i++) e->window[i] = (float)sin(M_PI / 2 * (i + 0.5) / RAMP);
  for (int k = 0; k < K; k++) e->gain[k] = 1, e->noise[k] = 0;
  echo_forget(e);
}

echo *echo_new(void) {
  echo *e = malloc(sizeof *e);
  if (!e) return NULL;
  fft_init(&e->f);
  for (int p = 0; p <= PHASES; p++) {
    for (int i = 0; i < SINC; i++) {
      double x = i - (SINC / 2 - 1) - (double)p / PHASES, w = 0.5 + 0.5 * cos(M_PI * x / (SINC / 2));
      e->sinc[p][i] = (float)(fabs(x) < 1e-9 ? 1 : fabs(x) >= SINC / 2 ? 0 : w * sin(M_PI * x) / (M_PI * x));
    }
  }
  echo_reset(e);
  return e;
}

void echo_free(echo *e) { free(e); }

void echo_far(echo *e, const int16_t *far, int n) {
  if (n > ECHO_FAR) n = ECHO_FAR;
  if (e->filled + n > SINC + 2 * B) n = SINC + 2 * B - e->filled;
  float sum = 0;
  for (int i = 0; i < n; i++) {
    float v = far ? far[i] : 0;
    e->raw[e->filled++] = v;
    sum += v * v;
  }
  e->quiet = sum > 0 ? 0 : e->quiet + 1;
  memmove(e->far_tail, e->far_tail + B, (FFT_SIZE - B) * sizeof(float));
  echo_resample(e, e->far_tail + FFT_SIZE - B);
  e->head = (e->head + H - 1) % H;
  if (e->quiet <= 4) {
    fft_forward(&e->f, e->far_tail, &e->far[e->head]);
  } else if (e->quiet <= H + 4) { // far_tail is all zeros
    memset(&e->far[e->head], 0, sizeof(spectrum));
  }
}

void echo_near(echo *e, int16_t *near) {
  if (e->quiet > H + 4) { // nothing was played for some time: there is no echo
    echo_pass(e, near);
    return;
  }
  float mic[B], y[B], err[B], out[B];
  for (int i = 0; i < B; i++) mic[i] = near[i];
  memmove(e->near_tail, e->near_tail + B, (FFT_SIZE - B) * sizeof(float));
  memcpy(e->near_tail + FFT_SIZE - B, mic, sizeof mic);
  spectrum s;
  fft_forward(&e->f, e->near_tail, &s);
  echo_search(e, &s);
  echo_filter(e, y);
  float em = 0, ee = 0, eo = 0;
  for (int i = 0; i < B; i++) {
    err[i] = mic[i] - y[i];
    em += mic[i] * mic[i];
    ee += err[i] * err[i];
  }
  echo_adapt(e, err);
  echo_doubt(e, em, ee);
  echo_suppress(e, err, y, out);
  for (int i = 0; i < B; i++) {
    float v = fminf(fmaxf(out[i], -32768), 32767);
    eo += v * v;
    near[i] = (int16_t)lrintf(v);
  }
  e->e_mic += 0.02f * (em - e->e_mic);
  e->e_out += 0.02f * (eo - e->e_out);
}

float echo_enhanced(const echo *e) { return e->e_out > 0 ? 10 * log10f((e->e_mic + 1) / (e->e_out + 1)) : 0; }

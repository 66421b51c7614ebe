// The suppressor: it attenuates the residual echo in each bin, and adds comfort noise.
#include "echo_state.h"

#include <math.h>
#include <string.h>

static void windowed(echo *e, float *frame, const float *block, spectrum *out) {
  memmove(frame, frame + B, RAMP * sizeof(float));
  memcpy(frame + RAMP, block, B * sizeof(float));
  float t[FFT_SIZE] = {0};
  memcpy(t, frame, FRAME * sizeof(float));
  for (int i = 0; i < RAMP; i++) {
    t[i] *= e->window[i];
    t[FRAME - 1 - i] *= e->window[i];
  }
  fft_forward(&e->f, t, out);
}

// echo_suppress attenuates the residual echo and writes the finished block to out.
void echo_suppress(echo *e, const float *err, const float *y, float *out) {
  spectrum se, sy;
  windowed(e, e->e_frame, err, &se);
  windowed(e, e->y_frame, y, &sy);
  float er[K], target[K];
  float coh_n = 0, coh_d = 1;
  for (int k = 0; k < K; k++) {
    float mr = se.re[k] + sy.re[k], mi = se.im[k] + sy.im[k];
    float yy = square(sy.re[k], sy.im[k]), ee = square(se.re[k], se.im[k]);
    e->s_ye_re[k] += 0.15f * (mr * sy.re[k] + mi * sy.im[k] - e->s_ye_re[k]);
    e->s_ye_im[k] += 0.15f * (mi * sy.re[k] - mr * sy.im[k] - e->s_ye_im[k]);
    e->s_yy[k] += 0.15f * (yy - e->s_yy[k]);
    e->s_mm[k] += 0.15f * (square(mr, mi) - e->s_mm[k]);
    e->reverb[k] = fmaxf(yy, 0.65f * e->reverb[k]);
    er[k] = ee;
    if (k >= 6 && k < 100) {
      coh_n += square(e->s_ye_re[k], e->s_ye_im[k]) / (e->s_yy[k] + 1);
      coh_d += e->s_mm[k];
    }
  }
  float coh = coh_n / coh_d; // how much of the microphone is echo
  echo_track(e, coh);
  float sure = fmaxf(0, (coh - 0.7f) / 0.3f);
  const float win = (float)(B + RAMP / 2) / FFT_SIZE;
  for (int k = 0; k < K; k++) {
    float ratio = er[k] / (e->reverb[k] + 1);
    if (ratio < e->leak[k]) {
      e->leak[k] += 0.05f * (ratio - e->leak[k]);
    } else {
      e->leak[k] += 0.1f * sure * (fminf(ratio, 1) - e->leak[k]);
    }
    float r = e->leak[k] * e->reverb[k] + 0.5f * win * e->uncertain[k];
    r *= 2 + 4 * sure; // where nobody here speaks, rather too much than too little
    target[k] = r;
  }
  for (int k = 0; k < K; k++) {
    float r = target[k] + 1e-3f;
    float post = er[k] / r;
    float prior = 0.85f * e->past[k] / r + 0.15f * fmaxf(post - 1, 0);
    float g = prior / (1 + prior);
    g = fmaxf(g, 0.003f);
    e->gain[k] = g;
    e->past[k] = g * g * er[k];
  }
  for (int k = 0; k < K; k++) {
    // The least of late is the noise of the room, which stays.
    float n = e->noise[k];
    e->noise[k] = er[k] < n ? n + 0.1f * (er[k] - n) : fminf(n * 1.005f + 1, er[k]);
    float g = e->gain[k];
    float c = sqrtf(fmaxf(0, 1 - g * g) * e->noise[k] * 0.5f);
    e->random = e->random * 1664525u + 1013904223u;
    float a = (float)(int32_t)e->random * (1.2f / 2147483648.0f);
    e->random = e->random * 1664525u + 1013904223u;
    float b = (float)(int32_t)e->random * (1.2f / 2147483648.0f);
    se.re[k] = se.re[k] * g + c * a;
    se.im[k] = se.im[k] * g + c * b;
  }
  float t[FFT_SIZE];
  fft_inverse(&e->f, &se, t);
  for (int i = 0; i < RAMP; i++) {
    t[i] *= e->window[i];
    t[FRAME - 1 - i] *= e->window[i];
  }
  for (int i = 0; i < RAMP; i++) out[i] = t[i] + e->tail[i];
  memcpy(out + RAMP, t + RAMP, (B - RAMP) * sizeof(float));
  memcpy(e->tail, t + B, RAMP * sizeof(float));
}

// echo_pass is the delay of the suppressor without its work.
void echo_pass(echo *e, int16_t *near) {
  float mic[B];
  for (int i = 0; i < B; i++) mic[i] = near[i];
  for (int i = 0; i < RAMP; i++) near[i] = (int16_t)lrintf(e->e_frame[B + i]);
  for (int i = RAMP; i < B; i++) near[i] = (int16_t)lrintf(mic[i - RAMP]);
  memcpy(e->e_frame + RAMP, mic, sizeof mic);
  memset(e->y_frame, 0, sizeof e->y_frame);
  for (int i = 0; i < RAMP; i++) e->tail[i] = mic[B - RAMP + i] * e->window[RAMP - 1 - i] * e->window[RAMP - 1 - i];
}

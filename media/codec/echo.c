#include "echo.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "fft.h"

enum {
  B = ECHO_BLOCK,
  K = FFT_BINS,
  P = 24,               // blocks that the filter spans: 240 ms of room
  SEARCH = 50,          // blocks among which the echo's beginning is looked for
  H = SEARCH + P,       // blocks of far-end sound remembered
  SINC = 32, PHASES = 512, // taps of the interpolator, and places between two samples
  LOW = 10, HIGH = 80,  // bins, 47 Hz apart, in which it is looked for: 470 Hz to 3.7 kHz
  RAMP = 160,           // samples over which two blocks are cross-faded
  FRAME = B + RAMP,
};

struct echo {
  // These never change.
  fft f;
  float sinc[PHASES + 1][SINC];

  spectrum far[H];       // ring; newest at head
  int head, quiet;       // quiet: blocks since the last that was not silent
  float far_tail[FFT_SIZE];
  float near_tail[FFT_SIZE];

  // The speaker's clock against the microphone's: far is read step samples at a time.
  float raw[SINC + 2 * B]; // what was played, as it came
  int filled;              // samples of raw
  double at, step;         // of the next output, in raw; step - 1 is the drift

  // Where the echo begins.
  spectrum probe[SEARCH];
  float profile[SEARCH]; // energies of probe, smoothed
  int offset, wanted, patience, found; // in blocks

  // The filter, and what is not known about it.
  spectrum w[P];
  float p[P][K];
  float near_psd[K];
  int constrain;

  // The suppressor.
  float e_frame[FRAME], y_frame[FRAME], tail[RAMP], window[RAMP];
  float leak[K], reverb[K], noise[K], gain[K], past[K], uncertain[K];
  float s_ye_re[K], s_ye_im[K], s_yy[K], s_mm[K];
  uint32_t random;
  float e_mic, e_out; // mean energies of a block, before and after
};

static inline float square(float re, float im) { return re * re + im * im; }

// What the filter does not know at first, of each tap of it, as a gain squared.
static const float P0 = 0.05f;
// How much of a tap is still true a block later, squared: rooms change within seconds.
static const float KEEP = 0.9995f;
// The loop that follows the clocks: parts of a lag that are mended at once, and that change
// the rate, a block. It settles in 2 s without overshoot.
static const float LOOP_P = 0.04f, LOOP_I = 4e-4f;
// Clocks differ by less than that; 100 ppm is common.
static const double DRIFT_MAX = 1e-3;

static void forget(echo *e) {
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
  forget(e);
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

static const spectrum *far_at(const echo *e, int blocks_ago) { return &e->far[(e->head + blocks_ago) % H]; }

// echo_wants is how many samples echo_far takes next, B give or take a few.
int echo_wants(const echo *e) {
  int n = (int)(e->at + (B - 1) * e->step) + SINC / 2 + 1 - e->filled;
  return n < 0 ? 0 : n;
}

// resample writes the next block of far, by the microphone's clock.
static void resample(echo *e, float *x) {
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
  resample(e, e->far_tail + FFT_SIZE - B);
  e->head = (e->head + H - 1) % H;
  if (e->quiet <= 4) {
    fft_forward(&e->f, e->far_tail, &e->far[e->head]);
  } else if (e->quiet <= H + 4) { // far_tail is all zeros
    memset(&e->far[e->head], 0, sizeof(spectrum));
  }
}

// move has the filter begin d blocks later.
static void move(echo *e, int d) {
  if (d >= P || d <= -P) {
    forget(e);
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

void echo_shift(echo *e, int blocks) {
  // The echo of what comes now comes as much later; the filter goes with it.
  int to = e->offset + blocks;
  e->offset = to < 0 ? 0 : to > SEARCH - 1 ? SEARCH - 1 : to;
  int d = e->offset - to;
  if (d) {
    move(e, d);
    e->offset -= d;
  }
  memset(e->probe, 0, sizeof e->probe);
  memset(e->profile, 0, sizeof e->profile);
}

// search adapts, in a few bins, a long filter of one tap a block, and takes the largest tap.
static void search(echo *e, const spectrum *y) {
  float er[HIGH], ei[HIGH], xx[HIGH];
  for (int k = LOW; k < HIGH; k++) er[k] = y->re[k], ei[k] = y->im[k], xx[k] = 0;
  for (int p = 0; p < SEARCH; p++) {
    const spectrum *x = far_at(e, p), *v = &e->probe[p];
    for (int k = LOW; k < HIGH; k++) {
      er[k] -= x->re[k] * v->re[k] - x->im[k] * v->im[k];
      ei[k] -= x->re[k] * v->im[k] + x->im[k] * v->re[k];
      xx[k] += x->re[k] * x->re[k] + x->im[k] * x->im[k];
    }
  }
  for (int k = LOW; k < HIGH; k++) {
    // What is not explained may be somebody here speaking: the more of it, the slower.
    float mu = 0.5f / (xx[k] + SEARCH * square(er[k], ei[k]) + 1e7f);
    er[k] *= mu;
    ei[k] *= mu;
  }
  float total = 0, best = 0;
  int at = 0;
  for (int p = 0; p < SEARCH; p++) {
    const spectrum *x = far_at(e, p);
    spectrum *v = &e->probe[p];
    float sum = 0;
    for (int k = LOW; k < HIGH; k++) {
      v->re[k] += x->re[k] * er[k] + x->im[k] * ei[k];
      v->im[k] += x->re[k] * ei[k] - x->im[k] * er[k];
      sum += v->re[k] * v->re[k] + v->im[k] * v->im[k];
    }
    e->profile[p] += 0.03f * (sum - e->profile[p]);
    total += e->profile[p];
    if (e->profile[p] > best) best = e->profile[p], at = p;
  }
  // A tap that stands out is an echo; where the filter begins already, it must be far
  // better to be believed.
  float here = 0;
  for (int p = e->offset; p < e->offset + 4 && p < SEARCH; p++) here = fmaxf(here, e->profile[p]);
  if (best < 4 * total / SEARCH || best < 1e-4f || (e->found && best < 1.5f * here)) {
    e->patience = 0;
    return;
  }
  int to = at > 0 ? at - 1 : 0;
  if (to != e->wanted) e->wanted = to, e->patience = 0;
  if (++e->patience > (e->found ? 30 : 10)) {
    // It is another speaker, microphone or place: what was learnt of the old one is wrong.
    // A few blocks are no other place, but a better look at this one.
    int d = to - e->offset;
    if (d > 3 || d < -3) {
      forget(e);
      e->offset = to;
    } else {
      move(e, d);
    }
    e->found = 1;
    e->patience = 0;
  }
}

// filter writes what the microphone hears of the speaker according to w, and how sure that is.
static void filter(echo *e, float *y) {
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

// adapt is the Kalman filter's step for the error err of the last block.
static void adapt(echo *e, const float *err) {
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


// track steers the reading of far so that the estimate does not run away from the echo: by
// the slope of the phase between the two, which is the lag between them.
static void track(echo *e, float coh) {
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

// suppress takes out what the filter left, and writes the finished block to out.
static void suppress(echo *e, const float *err, const float *y, float *out) {
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
  track(e, coh);
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

// pass is the delay of the suppressor without its work.
static void pass(echo *e, int16_t *near) {
  float mic[B];
  for (int i = 0; i < B; i++) mic[i] = near[i];
  for (int i = 0; i < RAMP; i++) near[i] = (int16_t)lrintf(e->e_frame[B + i]);
  for (int i = RAMP; i < B; i++) near[i] = (int16_t)lrintf(mic[i - RAMP]);
  memcpy(e->e_frame + RAMP, mic, sizeof mic);
  memset(e->y_frame, 0, sizeof e->y_frame);
  for (int i = 0; i < RAMP; i++) e->tail[i] = mic[B - RAMP + i] * e->window[RAMP - 1 - i] * e->window[RAMP - 1 - i];
}

void echo_near(echo *e, int16_t *near) {
  if (e->quiet > H + 4) { // nothing was played for long: there is no echo
    pass(e, near);
    return;
  }
  float mic[B], y[B], err[B], out[B];
  for (int i = 0; i < B; i++) mic[i] = near[i];
  memmove(e->near_tail, e->near_tail + B, (FFT_SIZE - B) * sizeof(float));
  memcpy(e->near_tail + FFT_SIZE - B, mic, sizeof mic);
  spectrum s;
  fft_forward(&e->f, e->near_tail, &s);
  search(e, &s);
  filter(e, y);
  float em = 0, eo = 0;
  for (int i = 0; i < B; i++) {
    err[i] = mic[i] - y[i];
    em += mic[i] * mic[i];
  }
  adapt(e, err);
  
  suppress(e, err, y, out);
  for (int i = 0; i < B; i++) {
    float v = fminf(fmaxf(out[i], -32768), 32767);
    eo += v * v;
    near[i] = (int16_t)lrintf(v);
  }
  e->e_mic += 0.02f * (em - e->e_mic);
  e->e_out += 0.02f * (eo - e->e_out);
}

double echo_drift(const echo *e) { return e->step - 1; }

int echo_delay(const echo *e) { return e->offset; }

float echo_enhanced(const echo *e) { return e->e_out > 0 ? 10 * log10f((e->e_mic + 1) / (e->e_out + 1)) : 0; }

// What the files of the echo canceller share; nothing else includes it.
#ifndef PARLEY_ECHO_STATE_H
#define PARLEY_ECHO_STATE_H

#include "echo.h"
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
  float mic, err; // energies of the microphone's block and of what the filter leaves, smoothed
  int worse;      // blocks in a row in which the filter made it louder

  // The suppressor.
  float e_frame[FRAME], y_frame[FRAME], tail[RAMP], window[RAMP];
  float leak[K], reverb[K], noise[K], gain[K], past[K], uncertain[K];
  float s_ye_re[K], s_ye_im[K], s_yy[K], s_mm[K];
  uint32_t random;
  float e_mic, e_out; // mean energies of a block, before and after
};

static inline float square(float re, float im) { return re * re + im * im; }

static inline const spectrum *far_at(const echo *e, int blocks_ago) { return &e->far[(e->head + blocks_ago) % H]; }

// echo_clock.c
void echo_resample(echo *e, float *x);
void echo_track(echo *e, float coh);
// echo_delay.c
void echo_search(echo *e, const spectrum *y);
// echo_filter.c
void echo_forget(echo *e);
void echo_move(echo *e, int d);
void echo_filter(echo *e, float *y);
void echo_adapt(echo *e, const float *err);
void echo_doubt(echo *e, float mic, float err);
// echo_suppress.c
void echo_suppress(echo *e, const float *err, const float *y, float *out);
void echo_pass(echo *e, int16_t *near);

#endif

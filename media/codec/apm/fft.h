// A real Fourier transform of 1024 points, written so that the compiler makes SIMD of it.
#ifndef PARLEY_FFT_H
#define PARLEY_FFT_H

enum { FFT_SIZE = 1024, FFT_BINS = FFT_SIZE / 2 + 1 };

typedef struct {
  float re[FFT_BINS + 7], im[FFT_BINS + 7];
} spectrum;

typedef struct {
  float cos[FFT_SIZE / 2], sin[FFT_SIZE / 2]; // of 2*pi*i/FFT_SIZE
  float work[4][FFT_SIZE / 2];
} fft;

void fft_init(fft *f);

// fft_forward transforms FFT_SIZE samples; fft_inverse undoes it, scale and all.
void fft_forward(fft *f, const float *x, spectrum *out);
void fft_inverse(fft *f, const spectrum *in, float *x);

#endif

// What the package uses of WebRTC's audio processing module. No exception leaves it, and
// only apm_new and apm_configure allocate.
#ifndef PARLEY_APM_H
#define PARLEY_APM_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct apm apm;

enum { APM_BLOCK = 480 }; // samples of 10 ms at 48 kHz

enum { APM_NOISE = 1, APM_GAIN = 2, APM_HIGH_PASS = 4, APM_VOICE = 8, APM_ECHO = 16 };

apm *apm_new(void); // NULL when there is no memory
void apm_free(apm *a);

// Each returns 0 when it worked, otherwise an error code of the library
// (AudioProcessing::Error), or -100 for an exception.
int apm_configure(apm *a, int flags);

// apm_far takes a block that is played, before the block of the microphone that hears it, for APM_ECHO:
// AEC3, which the library has from 1.0 on.
int apm_far(apm *a, const int16_t *pcm);

// apm_process works in place. voice becomes 1 or 0, or -1 without APM_VOICE.
int apm_process(apm *a, int16_t *pcm, int *voice);

#ifdef __cplusplus
}
#endif
#endif

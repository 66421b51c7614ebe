// Removes what the speaker plays from a microphone's sound. docs/ARCHITECTURE.md says how.
#ifndef PARLEY_ECHO_H
#define PARLEY_ECHO_H

#include <stdint.h>

enum { ECHO_BLOCK = 480 }; // samples of 10 ms at 48 kHz

typedef struct echo echo;

echo *echo_new(void); // NULL when there is no memory
void echo_free(echo *e);
void echo_reset(echo *e);

// echo_far takes what was played, or NULL for silence, once for each block of the microphone. It wants
// echo_wants samples, at most ECHO_FAR: not always a block, because the clocks of the devices differ.
enum { ECHO_FAR = ECHO_BLOCK + 4 };
int echo_wants(const echo *e);
void echo_far(echo *e, const int16_t *far, int n);
// echo_shift says that from now on what echo_far takes is so many blocks earlier than before; negative:
// later.
void echo_shift(echo *e, int blocks);
// echo_near removes the echo, with a delay of 160 samples.
void echo_near(echo *e, int16_t *near);

// echo_delay is the delay of the echo in blocks; 0 while unknown.
int echo_delay(const echo *e);
// echo_drift is how much faster the speaker's clock runs than the microphone's; 1e-6 is 1 ppm.
double echo_drift(const echo *e);
// echo_enhanced is how much quieter the microphone is made while there is echo, in dB.
float echo_enhanced(const echo *e);

#endif

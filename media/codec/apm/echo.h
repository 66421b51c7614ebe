// Takes out of a microphone's sound what the speaker plays. docs/ARCHITECTURE.md says how.
#ifndef PARLEY_ECHO_H
#define PARLEY_ECHO_H

#include <stdint.h>

enum { ECHO_BLOCK = 480 }; // samples of 10 ms at 48 kHz

typedef struct echo echo;

echo *echo_new(void); // NULL when there is no memory
void echo_free(echo *e);
void echo_reset(echo *e);

// echo_far takes what was played, NULL for silence, once for every block of the microphone:
// echo_wants samples, at most ECHO_FAR. The two differ as the clocks of the devices do.
enum { ECHO_FAR = ECHO_BLOCK + 4 };
int echo_wants(const echo *e);
void echo_far(echo *e, const int16_t *far, int n);
// echo_shift tells that from now on all that echo_far takes comes so many blocks earlier
// than so far; negative: later.
void echo_shift(echo *e, int blocks);
// echo_near takes out the echo. What it returns is 160 samples late.
void echo_near(echo *e, int16_t *near);

// echo_delay is how many blocks the echo comes after its sound; 0 while unknown.
int echo_delay(const echo *e);
// echo_drift is how much faster the speaker's clock runs than the microphone's; 1e-6 is 1 ppm.
double echo_drift(const echo *e);
// echo_enhanced is how much quieter the microphone is made while there is echo, in dB.
float echo_enhanced(const echo *e);

#endif

// Delay estimation: how many blocks after its sound the echo begins.
#include "echo_state.h"

#include <math.h>
#include <string.h>

// echo_search adapts a long filter, one tap for each block, in a few bins, and looks for its largest tap.
void echo_search(echo *e, const spectrum *y) {
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
    // The residual may be near-end speech: the larger it is, the smaller the step.
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
  // A tap that stands out is an echo. Once a delay is found, another tap must be far better.
  float here = 0;
  for (int p = e->offset; p < e->offset + 4 && p < SEARCH; p++) here = fmaxf(here, e->profile[p]);
  if (best < 4 * total / SEARCH || best < 1e-4f || (e->found && best < 1.5f * here)) {
    e->patience = 0;
    return;
  }
  int to = at > 0 ? at - 1 : 0;
  if (to != e->wanted) e->wanted = to, e->patience = 0;
  if (++e->patience > (e->found ? 30 : 10)) {
    // A large jump is another speaker, microphone or place, and the filter is of the old one. A few blocks
    // only refine the estimate.
    int d = to - e->offset;
    if (d > 3 || d < -3) {
      echo_forget(e);
      e->offset = to;
    } else {
      echo_move(e, d);
    }
    e->found = 1;
    e->patience = 0;
  }
}

void echo_shift(echo *e, int blocks) {
  // The echo of what comes now comes as much later; the filter goes with it.
  int to = e->offset + blocks;
  e->offset = to < 0 ? 0 : to > SEARCH - 1 ? SEARCH - 1 : to;
  int d = e->offset - to;
  if (d) {
    echo_move(e, d);
    e->offset -= d;
  }
  memset(e->probe, 0, sizeof e->probe);
  memset(e->profile, 0, sizeof e->profile);
}

int echo_delay(const echo *e) { return e->offset; }

/* Two firms that learn to price at once, each seeing both last prices: the floor under `calvano_period`. */
#include "sessions.h"

/* Until no greedy action has changed for `window` periods, or after `limit`; returns the periods played. */
int64_t learn(double *values, int16_t *greedy, double *runner, const double *payoff, int64_t size,
              double alpha, double gamma, double beta, double decay, uint64_t *stream, int64_t joint,
              int64_t window, int64_t limit)
{
    int64_t states = size * size, period = 0, changed = 0;
    uint64_t seed = stream[0], counter = stream[1];
    Player one = {values, greedy, runner, size, -1, -1, alpha, gamma, 0, gamma, 1, beta, decay}, two = one;
    two.values += states * size;
    two.greedy += states;
    two.runner += states;
    while (period < limit && period - changed < window) {
        explore(&one, period);
        two.epsilon = one.epsilon;
        int new = decide(&one, joint, drawn(seed, counter));
        new |= decide(&two, joint, drawn(seed, counter + 1));
        counter += 2;
        joint = one.done * size + two.done;
        one.owed = payoff[joint];
        two.owed = payoff[states + joint];
        period++;
        changed = new ? period : changed;
    }
    stream[1] = counter;
    return period;
}

/* Two firms that set prices in turns, each seeing the other's standing price: the floor under `klein_period`. */
#include "sessions.h"

/* `limit` periods; sums of payoffs after `from` into `tally`. Returns the periods up to the last change. */
int64_t learn(double *values, int16_t *greedy, double *runner, const double *payoff, int64_t size,
              double alpha, double gamma, double beta, double decay, uint64_t *stream, int64_t *standing,
              int64_t from, int64_t limit, double *tally)
{
    int64_t changed = 0;
    uint64_t seed = stream[0], counter = stream[1];
    Player one = {values, greedy, runner, size, -1, -1, alpha, gamma, 0, 0, 1, beta, decay}, two = one;
    two.values += size * size;
    two.greedy += size;
    two.runner += size;
    int64_t a = standing[0], b = standing[1];
    for (int64_t period = 0; period < limit; period++) {
        explore(&one, period);
        two.epsilon = one.epsilon;
        int even = period % 2 == 0, new;
        double number = drawn(seed, counter++);
        if (even) {
            new = decide(&one, b, number);
            a = one.done;
        } else {
            new = decide(&two, a, number);
            b = two.done;
        }
        double first = payoff[a * size + b], second = payoff[(size + a) * size + b];
        if (even) {
            one.owed = first;
            one.later = gamma;
            two.owed += two.later * second;
            two.later *= gamma;
        } else {
            two.owed = second;
            two.later = gamma;
            one.owed += one.later * first;
            one.later *= gamma;
        }
        if (period >= from) {
            tally[0] += first;
            tally[1] += second;
        }
        changed = new ? period + 1 : changed;
    }
    stream[1] = counter;
    standing[0] = a;
    standing[1] = b;
    return changed;
}

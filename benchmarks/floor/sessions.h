/* What the floors of learning in repeated play share: words, exploration, one value taught.
 *
 * Two players' values by trial, each with greedy actions that are kept state by state and replaced only when
 * strictly beaten; `runner` is at least the value of every other action of a state. Numbers and their order
 * are those of the package, so that answers are equal to the bit. */
#include <math.h>
#include <stdint.h>

#define INLINE static inline __attribute__((always_inline))

typedef struct {
    double *values; /* [state action] */
    int16_t *greedy; /* [state] */
    double *runner; /* [state] */
    int64_t size, past, done; /* actions; the state and the action not yet settled, or -1 */
    double alpha, gamma, owed, later, epsilon, beta, decay;
} Player;

INLINE double drawn(uint64_t seed, uint64_t counter)
{
    uint64_t z = seed + (counter + 1) * 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    z ^= z >> 31;
    return (double)(int64_t)(z >> 11) * 0x1p-53;
}

INLINE void explore(Player *p, int64_t period)
{
    p->epsilon = period % 1024 ? p->epsilon * p->decay : exp(-p->beta * (double)period);
}

/* After the greedy value fell: the best other action, where strictly better, the lowest at ties. */
static __attribute__((noinline)) int searched(Player *p, int64_t state)
{
    const double *row = p->values + state * p->size;
    double mine = row[p->greedy[state]], top = mine, next = -INFINITY;
    int64_t found = -1, kept = p->greedy[state];
    for (int64_t k = 0; k < p->size; k++) {
        double value = k == kept ? -INFINITY : row[k];
        double lower = value < top ? value : top;
        next = lower > next ? lower : next;
        found = value > top ? k : found;
        top = value > top ? value : top;
    }
    p->runner[state] = next;
    if (found < 0) return 0;
    p->greedy[state] = (int16_t)found;
    return 1;
}

/* What was pending is worth `aim`; whether a greedy action changed. */
INLINE int teach(Player *p, double aim)
{
    int64_t state = p->past, at = state * p->size, kept = p->greedy[state];
    double value = p->values[at + p->done] + p->alpha * (aim - p->values[at + p->done]);
    p->values[at + p->done] = value;
    if (p->done == kept) return value < p->runner[state] && searched(p, state);
    double top = p->values[at + kept];
    if (value > top) {
        p->greedy[state] = (int16_t)p->done;
        p->runner[state] = top;
        return 1;
    }
    if (value > p->runner[state]) p->runner[state] = value;
    return 0;
}

/* Settle what is pending by what the state is worth, and choose in it. */
INLINE int decide(Player *p, int64_t state, double number)
{
    int changed = 0;
    if (p->past >= 0)
        changed = teach(p, p->owed + p->later * p->values[state * p->size + p->greedy[state]]);
    int64_t any = (int64_t)(number / p->epsilon * (double)p->size);
    p->past = state;
    p->done = number < p->epsilon ? (any < p->size ? any : p->size - 1) : p->greedy[state];
    return changed;
}

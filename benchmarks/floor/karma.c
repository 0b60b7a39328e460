/* Agents with karma who learn by SARSA, meeting in random pairs: the floor under `karma_step`.
 *
 * The winner pays its bid to the loser, or to everybody; coins tell between equals; what a loser cannot hold
 * joins the surplus, which is shared out every step. Numbers and their order are those of the package, so
 * that tables are equal to the bit. One type of agents, each with a table of its own. */
#include <math.h>
#include <stdint.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))
#define LOW 0xFFFFFFFFu
#define WHOLE 0x1p32

typedef struct {
    int64_t agents, most, privates, to_peer, epoch;
    double alpha, gamma, beta, epsilon;
    const double *stakes;  /* [private] */
    const int64_t *moves;  /* [private private], cumulative, in units of 2^-30 */
    uint64_t *stream;      /* [2] */
    int64_t *clock, *karma, *private, *pool, *wins, *order, *lucky, *pending, *choice, *bids, *entry;
    double *reward, *q, *policy, *x, *scale;
    uint8_t *touched;
    uint64_t *words;
} Economy;

INLINE int64_t start_of(int64_t row, int64_t most)
{
    int64_t z = row / (most + 1), k = row % (most + 1);
    return z * ((most + 1) * (most + 2) / 2) + k * (k + 1) / 2;
}

static void fill(uint64_t *stream, uint64_t *restrict words, int64_t count)
{
    uint64_t seed = stream[0], counter = stream[1];
    for (int64_t i = 0; i < count; i++) {
        uint64_t z = seed + (counter + (uint64_t)i + 1) * 0x9E3779B97F4A7C15u;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
        words[i] = z ^ (z >> 31);
    }
    stream[1] = counter + (uint64_t)count;
}

static __attribute__((noinline)) int64_t missed(const double *row, int64_t k, int64_t choice, int64_t lot)
{
    int64_t mode = choice >> 32, chosen = 0;
    double rest = (double)(lot - (choice & LOW)) / WHOLE, whole = (double)lot / WHOLE;
    for (int64_t b = 0; b < mode; b++) chosen += row[b] <= rest;
    if (chosen < mode) return chosen;
    for (int64_t b = mode; b < k; b++) chosen += row[b] <= whole;
    return chosen;
}

static int decide(Economy *e)
{
    int64_t most = e->most, triangle = (most + 1) * (most + 2) / 2;
    int64_t entries = e->privates * triangle, rows = e->privates * (most + 1);
    int bad = 0;
    for (int64_t i = 0; i < e->agents; i++) {
        int64_t k = e->karma[i], z = e->private[i];
        int64_t row = i * rows + z * (most + 1) + k, first = i * entries + z * triangle + k * (k + 1) / 2;
        int64_t choice = e->choice[row], lot = (int64_t)(e->words[i] >> 32);
        int64_t bid = lot < (choice & LOW) ? choice >> 32 : missed(e->policy + first, k, choice, lot);
        e->bids[i] = bid;
        e->entry[i] = first + bid;
        e->touched[row] = 1;
    }
    for (int64_t i = 0; i < e->agents; i++) { /* apart from choosing: more of memory is asked for at a time */
        int64_t place = e->pending[i], entry = e->entry[i];
        if (place >= 0) {
            double old = e->q[place];
            double new = old - e->alpha * (old - e->reward[i] - e->gamma * e->q[entry]);
            e->q[place] = new;
            bad |= new - new != 0.0;
        }
        e->pending[i] = entry;
        e->reward[i] = -e->stakes[e->private[i]];
    }
    return bad;
}

static void pair_up(int64_t *order, int64_t agents, const uint64_t *words)
{
    for (int64_t left = agents; left > 1; left -= 2, words++) {
        int64_t place = (int64_t)(*words >> 32) * (left - 1) >> 32, partner = order[place];
        order[place] = order[left - 2];
        order[left - 2] = partner;
    }
}

static void meet(Economy *e)
{
    int64_t joining = 0;
    for (int64_t pair = 0; pair < e->agents / 2; pair++) {
        int64_t i = e->order[2 * pair + 1], j = e->order[2 * pair];
        int64_t one = e->bids[i], other = e->bids[j], coin = e->words[i] & 1;
        int64_t wins = 2 * one + coin > 2 * other;
        int64_t winner = wins ? i : j, loser = wins ? j : i, price = wins ? one : other;
        int64_t held = e->karma[loser] + e->to_peer * price, excess = held > e->most ? held - e->most : 0;
        e->karma[winner] -= price;
        e->karma[loser] = held - excess;
        joining += excess + (1 - e->to_peer) * price;
        e->reward[winner] = 0.0;
        e->wins[winner]++;
    }
    *e->pool += joining;
}

static int64_t share_out(int64_t surplus, int64_t *karma, int64_t agents, int64_t most, int64_t *lucky,
                         uint64_t *words, uint64_t *stream)
{
    int64_t place = 0;
    while (surplus >= agents) {
        int64_t share = surplus / agents, given = 0;
        for (int64_t i = 0; i < agents; i++) {
            int64_t room = most - karma[i], gain = share < room ? share : room;
            karma[i] += gain;
            given += gain;
        }
        if (!given) return surplus;
        surplus -= given;
    }
    for (; surplus > 0; place++) {
        if (place == agents) { /* more units than agents with room: once more */
            int64_t full = 0;
            for (int64_t i = 0; i < agents; i++) full += karma[i] == most;
            if (full == agents) return surplus;
            fill(stream, words, agents);
            place = 0;
        }
        int64_t other = place + ((int64_t)(words[place] & LOW) * (agents - place) >> 32);
        int64_t agent = lucky[other], gain;
        lucky[other] = lucky[place];
        lucky[place] = agent;
        gain = karma[agent] < most;
        karma[agent] += gain;
        surplus -= gain;
    }
    return surplus;
}

static int64_t move(Economy *e)
{
    int64_t total = 0;
    for (int64_t i = 0; i < e->agents; i++) {
        int64_t lot = (int64_t)(e->words[i] & LOW) >> 2, after = 0;
        const int64_t *row = e->moves + e->private[i] * e->privates;
        for (int64_t z = 0; z < e->privates - 1; z++) after += lot >= row[z];
        e->private[i] = after;
        total += e->karma[i];
    }
    return total;
}

static void exponentials(double *restrict x, double *restrict scale, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        double v = x[i] > -708.0 ? x[i] : -708.0, shifted = v * 1.4426950408889634 + 0x1.8p52;
        double n = shifted - 0x1.8p52, r = v - n * 0.6931471803691238 - n * 1.9082149292705877e-10, p;
        int64_t bits;
        memcpy(&bits, &shifted, 8);
        bits = (int64_t)((uint64_t)(bits + 1023) << 52);
        memcpy(&scale[i], &bits, 8);
        p = 1.0 / 6227020800.0 * r + 1.0 / 479001600.0;
        p = p * r + 1.0 / 39916800.0;
        p = p * r + 1.0 / 3628800.0;
        p = p * r + 1.0 / 362880.0;
        p = p * r + 1.0 / 40320.0;
        p = p * r + 1.0 / 5040.0;
        p = p * r + 1.0 / 720.0;
        p = p * r + 1.0 / 120.0;
        p = p * r + 1.0 / 24.0;
        p = p * r + 1.0 / 6.0;
        p = p * r + 0.5;
        p = p * r + 1.0;
        p = p * r + 1.0;
        x[i] = (x[i] >= -708.0 ? p : 0.0) * scale[i];
    }
}

static void accumulate(double *x, int64_t k, double epsilon, double *policy, int64_t *choice)
{
    int64_t mode = k, mass;
    double running = 0.0, kept, spread = epsilon / ((double)k + 1.0);
    for (int64_t b = k; b >= 0; b--) mode = x[b] == 1.0 ? b : mode;
    for (int64_t b = 0; b <= k; b++) x[b] = running += x[b];
    kept = (1.0 - epsilon) / running;
    for (int64_t b = 0; b < k; b++) {
        double sum = x[b] * kept + spread * ((double)b + 1.0);
        policy[b] = sum < 1.0 ? sum : 1.0;
    }
    policy[k] = 1.0;
    mass = (int64_t)((kept + spread) * WHOLE);
    *choice = mode << 32 | (mass < LOW ? mass : LOW);
}

static void renew(Economy *e)
{
    int64_t rows = e->privates * (e->most + 1), entries = rows * (e->most + 2) / 2;
    for (int64_t i = 0; i < e->agents; i++) {
        const double *values = e->q + i * entries;
        uint8_t *touched = e->touched + i * rows;
        int64_t count = 0, last = e->pending[i] - i * entries;
        for (int64_t row = 0; row < rows; row++) {
            if (!touched[row]) continue;
            int64_t first = start_of(row, e->most), k = row % (e->most + 1);
            double top = values[first];
            for (int64_t b = 1; b <= k; b++) top = values[first + b] > top ? values[first + b] : top;
            for (int64_t b = 0; b <= k; b++) e->x[count + b] = e->beta * (values[first + b] - top);
            count += k + 1;
        }
        exponentials(e->x, e->scale, count);
        count = 0;
        for (int64_t row = 0; row < rows; row++) {
            if (!touched[row]) continue;
            int64_t first = start_of(row, e->most), k = row % (e->most + 1);
            accumulate(e->x + count, k, e->epsilon, e->policy + i * entries + first, e->choice + i * rows + row);
            count += k + 1;
            touched[row] = first <= last && last <= first + k; /* there is more to be taught there */
        }
    }
}

/* 0: all is well; 1: karma appeared or vanished; 2: a value is no finite number. */
int64_t learn(Economy *e, int64_t steps)
{
    int64_t supply = *e->pool;
    for (int64_t i = 0; i < e->agents; i++) supply += e->karma[i];
    while (steps-- > 0) {
        fill(e->stream, e->words, 2 * e->agents);
        if (decide(e)) return 2;
        pair_up(e->order, e->agents, e->words + e->agents);
        meet(e);
        *e->pool = share_out(*e->pool, e->karma, e->agents, e->most, e->lucky, e->words + e->agents,
                            e->stream);
        if (move(e) + *e->pool != supply) return 1;
        if (++*e->clock % e->epoch == 0) renew(e);
    }
    return 0;
}

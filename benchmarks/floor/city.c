/* Agents with karma who travel through a city and learn by SARSA to bid for lanes: the floor under `city_step`.
 *
 * Who is admitted pays its bid; coins tell between equals; the surplus is shared out among all every step.
 * Numbers and their order are those of the package, so that tables are equal to the bit. Paths without
 * junctions, one type of agents, each with a table of its own. */
#include <math.h>
#include <stdint.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))
#define LOW 0xFFFFFFFFu
#define WHOLE 0x1p32
#define AHEAD 12
#define BLOCK 32

typedef struct {
    int64_t agents, most, places, urgencies, slots, lanes, epoch, line; /* line: entries from row to row */
    double alpha, gamma, beta, epsilon;
    const double *stakes;   /* [urgency] */
    const int64_t *moves;   /* [trip trip], cumulative, in units of 2^-30 */
    const int64_t *slot, *urgency; /* [trip] */
    const int64_t *journeys, *begins, *lane_of, *after, *back, *room;
    uint64_t *stream; /* [2] */
    int64_t *clock, *karma, *trip, *spot, *pool, *asked, *passed, *lucky, *pending;
    double *reward;
    float *q, *policy;
    uint64_t *words;
    int64_t *row, *lane, *bids, *entry, *count, *margin, *seats, *rest, *owed, *length;
    int32_t *listed; /* [agent row], longer by AHEAD */
    double *x, *scale;
} City;

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

INLINE uint32_t bits_of(const float *entry)
{
    uint32_t bits;
    memcpy(&bits, entry, 4);
    return bits;
}

static __attribute__((noinline)) int64_t missed(const float *row, int64_t count, int64_t mode, int64_t mass,
                                                int64_t lot)
{
    int64_t chosen = 0;
    double rest = (double)(lot - mass) / WHOLE, whole = (double)lot / WHOLE;
    for (int64_t b = 0; b < mode; b++) chosen += (double)row[b] <= rest;
    if (chosen < mode) return chosen;
    for (int64_t b = mode; b < count - 1; b++) chosen += (double)row[b] <= whole;
    return chosen;
}

static void locate(City *c)
{
    int64_t trips = c->slots * c->urgencies;
    for (int64_t i = 0; i < c->agents; i++) {
        int64_t trip = c->trip[i], spot = c->spot[i], dormant = trip == trips;
        int64_t journey = c->journeys[i * c->slots + c->slot[trip]];
        c->row[i] = trip * c->places + spot;
        c->lane[i] = dormant ? c->lanes : c->lane_of[journey * c->places + spot];
    }
}

static void choose(City *c)
{
    int64_t known = c->slots * c->urgencies * c->places + 1;
    for (int64_t i = 0; i < c->agents; i++)
        c->entry[i] = ((i * known + c->row[i]) * (c->most + 1) + c->karma[i]) * c->line;
    for (int64_t i = 0; i < c->agents; i++) {
        int64_t further = c->entry[i + AHEAD < c->agents ? i + AHEAD : c->agents - 1], first = c->entry[i];
        __builtin_prefetch(c->policy + further, 0, 3);
        __builtin_prefetch(c->q + further, 0, 3);
        const float *row = c->policy + first;
        int64_t mass = bits_of(row + c->line - 2), mode = bits_of(row + c->line - 1);
        int64_t count = c->row[i] == known - 1 ? 1 : c->karma[i] + 1, lot = (int64_t)(c->words[i] >> 32);
        c->bids[i] = lot < mass ? mode : missed(row, count, mode, mass, lot);
        c->entry[i] = first + c->bids[i];
    }
}

INLINE int64_t rows_of(const City *c)
{
    return (c->slots * c->urgencies * c->places + 1) * (c->most + 1);
}

static int teach(City *c)
{
    int bad = 0;
    int64_t rows = rows_of(c);
    for (int64_t i = 0; i < c->agents; i++) {
        int64_t place = c->pending[i], entry = c->entry[i], row = c->owed[i];
        c->pending[i] = entry;
        c->owed[i] = c->row[i] * (c->most + 1) + c->karma[i];
        if (place < 0) continue;
        double old = c->q[place], new = old - c->alpha * (old - c->reward[i] - c->gamma * (double)c->q[entry]);
        c->q[place] = (float)new;
        bad |= new - new != 0.0;
        float *marked = c->q + (i * rows + row) * c->line + c->line - 1;
        c->listed[i * (rows + AHEAD) + c->length[i]] = (int32_t)row;
        c->length[i] += *marked == 0.0f;
        *marked = 1.0f;
    }
    return bad;
}

static void demand(City *c)
{
    int64_t levels = c->most + 1;
    memset(c->count, 0, (size_t)((c->lanes + 1) * levels) * sizeof *c->count);
    for (int64_t i = 0; i < c->agents; i++) c->count[c->lane[i] * levels + c->bids[i]]++;
    for (int64_t lane = 0; lane <= c->lanes; lane++) {
        const int64_t *count = c->count + lane * levels;
        int64_t want = 0, left = c->room[lane], margin = c->most;
        for (int64_t b = 0; b < levels; b++) want += count[b];
        c->margin[lane] = -1;
        if (want <= left) continue;
        for (; count[margin] <= left; margin--) left -= count[margin];
        c->margin[lane] = margin;
        c->seats[lane] = left;
        c->rest[lane] = count[margin];
    }
}

/* Admission, payments, rewards and the next locations; returns the karma collected. */
static int64_t move(City *c)
{
    int64_t trips = c->slots * c->urgencies, collected = 0;
    for (int64_t i = 0; i < c->agents; i++) {
        int64_t lane = c->lane[i], bid = c->bids[i], seats = c->seats[lane], rest = c->rest[lane];
        int64_t lot = (int64_t)(c->words[c->agents + i] >> 32) * rest >> 32, trip = c->trip[i];
        int64_t tied = bid == c->margin[lane], chosen = tied & (lot < seats);
        int64_t won = (bid > c->margin[lane]) + chosen, awake = trip < trips, goes = -1;
        c->seats[lane] = seats - chosen;
        c->rest[lane] = rest - tied;
        c->karma[i] -= bid * won;
        collected += bid * won;
        c->reward[i] = -(double)(1 - won) * c->stakes[c->urgency[trip]];
        c->asked[i] += awake;
        c->passed[i] += awake * won;
        if (awake) {
            int64_t place = c->journeys[i * c->slots + c->slot[trip]] * c->places + c->spot[i];
            goes = won ? c->after[place] : c->back[place];
            c->spot[i] = goes;
        }
        if (goes == -1) {
            int64_t lot = (int64_t)(c->words[i] & LOW) >> 2, next = 0;
            for (int64_t k = 0; k < trips; k++) next += lot >= c->moves[trip * (trips + 1) + k];
            c->trip[i] = next;
            c->spot[i] = next < trips ? c->begins[c->journeys[i * c->slots + c->slot[next]]] : 0;
        }
    }
    return collected;
}

static int64_t share_out(City *c, int64_t surplus)
{
    int64_t place = 0, agents = c->agents, most = c->most;
    uint64_t *words = c->words;
    while (surplus >= agents) {
        int64_t share = surplus / agents, given = 0;
        for (int64_t i = 0; i < agents; i++) {
            int64_t room = most - c->karma[i], gain = share < room ? share : room;
            c->karma[i] += gain;
            given += gain;
        }
        if (!given) return surplus;
        surplus -= given;
    }
    for (; surplus > 0; place++) {
        if (place == agents) { /* more units than agents with room: once more */
            int64_t full = 0;
            for (int64_t i = 0; i < agents; i++) full += c->karma[i] == most;
            if (full == agents) return surplus;
            fill(c->stream, words + agents, agents);
            place = 0;
        }
        int64_t other = place + ((int64_t)(words[agents + place] & LOW) * (agents - place) >> 32);
        int64_t agent = c->lucky[other], gain;
        c->lucky[other] = c->lucky[place];
        c->lucky[place] = agent;
        gain = c->karma[agent] < most;
        c->karma[agent] += gain;
        surplus -= gain;
    }
    return surplus;
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

static void accumulate(double *x, int64_t count, double epsilon, float *policy, int64_t line)
{
    int64_t mode = count - 1, mass;
    double running = 0.0, kept, spread = epsilon / (double)count;
    for (int64_t b = count - 1; b >= 0; b--) mode = x[b] == 1.0 ? b : mode;
    for (int64_t b = 0; b < count; b++) x[b] = running += x[b];
    kept = (1.0 - epsilon) / running;
    for (int64_t b = 0; b < count - 1; b++) {
        double sum = x[b] * kept + spread * ((double)b + 1.0);
        policy[b] = (float)(sum < 1.0 ? sum : 1.0);
    }
    mass = (int64_t)((kept + spread) * WHOLE);
    uint32_t bits[2] = {(uint32_t)(mass < LOW ? mass : LOW), (uint32_t)mode};
    memcpy(policy + line - 2, bits, 8);
}

static void renew(City *c)
{
    int64_t rows = rows_of(c), levels = c->most + 1, line = c->line, counts[BLOCK];
    for (int64_t i = 0; i < c->agents; i++) {
        const int32_t *listed = c->listed + i * (rows + AHEAD);
        int64_t further = i + 1 < c->agents ? i + 1 : i;
        for (int64_t n = 0, length = c->length[i]; n < length; n += BLOCK) {
            int64_t together = length - n < BLOCK ? length - n : BLOCK, filled = 0;
            for (int64_t m = 0; m < together; m++) {
                int64_t ahead = n + m + AHEAD, row = i * rows + listed[n + m];
                ahead = ahead < length ? i * rows + listed[ahead]
                                       : further * rows + c->listed[further * (rows + AHEAD) + ahead - length];
                __builtin_prefetch(c->q + ahead * line, 0, 3);
                __builtin_prefetch(c->policy + ahead * line, 0, 3);
                int64_t count = listed[n + m] >= rows - levels ? 1 : listed[n + m] % (int32_t)levels + 1;
                const float *values = c->q + row * line;
                double top = values[0];
                for (int64_t b = 1; b < count; b++) top = values[b] > top ? values[b] : top;
                for (int64_t b = 0; b < count; b++) c->x[filled + b] = c->beta * (values[b] - top);
                counts[m] = count;
                filled += count;
            }
            exponentials(c->x, c->scale, filled);
            filled = 0;
            for (int64_t m = 0; m < together; m++) {
                int64_t row = i * rows + listed[n + m];
                accumulate(c->x + filled, counts[m], c->epsilon, c->policy + row * line, line);
                filled += counts[m];
                c->q[row * line + line - 1] = 0.0f;
            }
        }
        c->length[i] = 0;
    }
}

/* 0: all is well; 1: karma appeared or vanished; 2: a value is no finite number. */
int64_t learn(City *c, int64_t steps)
{
    int64_t supply = *c->pool;
    for (int64_t i = 0; i < c->agents; i++) supply += c->karma[i];
    locate(c);
    while (steps-- > 0) {
        int64_t held = 0;
        fill(c->stream, c->words, 2 * c->agents);
        choose(c);
        if (teach(c)) return 2;
        demand(c);
        *c->pool = share_out(c, *c->pool + move(c));
        locate(c);
        for (int64_t i = 0; i < c->agents; i++) held += c->karma[i];
        if (held + *c->pool != supply) return 1;
        if (++*c->clock % c->epoch == 0) renew(c);
    }
    return 0;
}

/* Q-learning of two sellers at once, written from the papers alone: no line, number stream or table of the package.
 *
 *     sellers key=value ..     prints a line per session: gain, or share of cooperation; periods; cycle length
 *
 * Market and learners of Calvano, Calzolari, Denicolo and Pastorello (American Economic Review 110, 2020, section
 * II): logit demand of quality 2, cost 1, outside option 0, mu = 1/4; `points` prices from .1 (pM - pN) below the
 * Nash price pN to .1 (pM - pN) above the joint optimum pM. The gain is (profit - Nash) / (joint - Nash), of mean
 * profits over the cycle of greedy play. `game=dilemma` has payoffs 3, 5, 1, 0 and actions cooperate, defect.
 */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NOTHING, BOTH, OWN, RIVAL }; /* what a seller remembers of the last period */
#define MOST 100

static uint64_t word[4]; /* xoshiro256+, Blackman and Vigna 2021 */

static double drawn(void)
{
    uint64_t sum = word[0] + word[3], moved = word[1] << 17;
    word[2] ^= word[0];
    word[3] ^= word[1];
    word[1] ^= word[2];
    word[0] ^= word[3];
    word[2] ^= moved;
    word[3] = (word[3] << 45) | (word[3] >> 19);
    return (double)(sum >> 11) / 9007199254740992.0;
}

static uint64_t mixed(uint64_t z) /* splitmix64, by which states of xoshiro are made */
{
    z = (z + 1) * 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

static double profit(double mine, double other)
{
    double e = exp((2 - mine) / .25), f = exp((2 - other) / .25);
    return (mine - 1) * e / (e + f + 1);
}

/* The price at which a seller's derivative is zero: alone, or of the sum of both profits. */
static double symmetric_price(int joint)
{
    double low = 1, high = 5;
    for (int k = 0; k < 200; k++) {
        double p = (low + high) / 2, e = exp((2 - p) / .25), share = e / (2 * e + 1);
        double markup = .25 / (1 - (joint ? 2 * share : share));
        if (p - 1 < markup) low = p; else high = p;
    }
    return low;
}

static double given(int count, char **words, const char *key, double otherwise)
{
    size_t length = strlen(key);
    for (int k = 1; k < count; k++)
        if (!strncmp(words[k], key, length) && words[k][length] == '=') return atof(words[k] + length + 1);
    return otherwise;
}

static int points, sees;
static double pay[MOST][MOST]; /* [own rival] */
static double *q[2]; /* [state action] */
static int *greedy[2];

static int state_of(int seller, const int *last)
{
    int own = last[seller], rival = last[1 - seller];
    if (sees == BOTH) return own * points + rival;
    return sees == OWN ? own : sees == RIVAL ? rival : 0;
}

static int chosen(int seller, int state, double epsilon)
{
    if (drawn() < epsilon) return (int)(drawn() * points);
    return greedy[seller][state];
}

/* Whether the greedy action of a state is another one: only a strictly better action replaces it. */
static int replaced(int seller, int state)
{
    const double *row = q[seller] + (size_t)state * points;
    int best = greedy[seller][state], before = best;
    for (int k = 0; k < points; k++)
        if (row[k] > row[best] || (row[k] == row[best] && best != before && k < best)) best = k;
    greedy[seller][state] = best;
    return best != before;
}

int main(int count, char **words)
{
    points = (int)given(count, words, "points", 15);
    sees = (int)given(count, words, "sees", BOTH);
    int dilemma = (int)given(count, words, "dilemma", 0), sessions = (int)given(count, words, "sessions", 40);
    int on_policy = (int)given(count, words, "on_policy", 0);
    int counterfactual = (int)given(count, words, "counterfactual", 0), random = (int)given(count, words, "random", 0);
    double alpha = given(count, words, "alpha", .15), gamma = given(count, words, "gamma", .95);
    double beta = given(count, words, "beta", 4e-6), low = given(count, words, "low", NAN);
    double high = given(count, words, "high", low), unit = given(count, words, "unit", 1);
    double shift = given(count, words, "shift", 0); /* of all prices and costs, in steps of the grid */
    int64_t window = (int64_t)given(count, words, "window", 1e5), limit = (int64_t)given(count, words, "limit", 1e9);
    uint64_t seed = (uint64_t)given(count, words, "seed", 1);
    double nash = symmetric_price(0), joint = symmetric_price(1), margin = given(count, words, "margin", .1);
    double bottom = nash - margin * (joint - nash), step = (joint - nash) * (1 + 2 * margin) / (points - 1);
    double zero = unit * profit(nash, nash), one = unit * profit(joint, joint);
    for (int i = 0; i < points; i++)
        for (int j = 0; j < points; j++)
            pay[i][j] = unit * profit(bottom + (i + shift) * step, bottom + (j + shift) * step);
    if (dilemma) {
        points = 2;
        pay[0][0] = 3, pay[0][1] = 0, pay[1][0] = 5, pay[1][1] = 1;
    }
    int states = sees == BOTH ? points * points : sees == NOTHING ? 1 : points;
    for (int seller = 0; seller < 2; seller++) {
        q[seller] = malloc(sizeof(double) * states * points);
        greedy[seller] = malloc(sizeof(int) * states);
    }
    for (int session = 0; session < sessions; session++) {
        for (int k = 0; k < 4; k++) word[k] = mixed(seed * 1000003 + 4 * session + k);
        for (int seller = 0; seller < 2; seller++)
            for (int s = 0; s < states; s++) {
                for (int a = 0; a < points; a++) {
                    double mean = 0;
                    for (int b = 0; b < points; b++) mean += pay[a][b] / points;
                    q[seller][s * points + a] = isnan(low) ? mean / (1 - gamma) : low + (high - low) * drawn();
                }
                greedy[seller][s] = 0;
                replaced(seller, s);
            }
        int last[2] = {(int)(drawn() * points), (int)(drawn() * points)}, now[2], state[2];
        for (int i = 0; i < 2; i++) state[i] = state_of(i, last);
        for (int i = 0; i < 2; i++) now[i] = random ? (int)(drawn() * points) : chosen(i, state[i], 1);
        int64_t period = 0, changed = 0;
        while (!random && period < limit && period - changed < window) {
            int next[2], following[2], moved = 0;
            double epsilon = exp(-beta * (double)(period + 1));
            for (int i = 0; i < 2; i++) {
                following[i] = state_of(i, now);
                next[i] = on_policy ? chosen(i, following[i], epsilon) : -1;
            }
            for (int i = 0; i < 2; i++) {
                double *row = q[i] + state[i] * points, aims[MOST];
                for (int a = 0; a < points; a++) {
                    if (!counterfactual && a != now[i]) continue;
                    int as_if[2] = {now[0], now[1]};
                    as_if[i] = a;
                    int then = state_of(i, as_if), follows = on_policy ? next[i] : greedy[i][then];
                    aims[a] = pay[a][now[1 - i]] + gamma * q[i][then * points + follows];
                }
                for (int a = 0; a < points; a++)
                    if (counterfactual || a == now[i]) row[a] += alpha * (aims[a] - row[a]);
                moved |= replaced(i, state[i]);
            }
            period++;
            if (moved) changed = period;
            for (int i = 0; i < 2; i++) {
                now[i] = on_policy ? next[i] : chosen(i, following[i], epsilon);
                state[i] = following[i];
            }
        }
        /* greedy play from the last state; after as many periods as there are joint actions it is in its cycle */
        int play[2] = {now[0], now[1]}, length = 0, first[2];
        for (int t = 0; t < points * points; t++) {
            int a = greedy[0][state_of(0, play)], b = greedy[1][state_of(1, play)];
            play[0] = a, play[1] = b;
        }
        first[0] = play[0], first[1] = play[1];
        double sum = 0, cooperation = 0;
        do {
            sum += (pay[play[0]][play[1]] + pay[play[1]][play[0]]) / 2;
            cooperation += (play[0] == 0) + (play[1] == 0);
            int a = greedy[0][state_of(0, play)], b = greedy[1][state_of(1, play)];
            play[0] = a, play[1] = b, length++;
        } while (play[0] != first[0] || play[1] != first[1]);
        double gain = (sum / length - zero) / (one - zero);
        if (random) {
            gain = 0;
            for (int i = 0; i < points; i++)
                for (int j = 0; j < points; j++) gain += ((pay[i][j] - zero) / (one - zero)) / (points * points);
        }
        printf("%.17g %lld %d\n", dilemma ? cooperation / (2 * length) : gain, (long long)period, length);
    }
    return 0;
}

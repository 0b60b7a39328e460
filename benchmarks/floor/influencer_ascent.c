/* Euler ascent of an influencer game on a line: the floors under `influencer_sweep`, strict and fast-math.
 *
 * Gaussian influence, shares by softmax over players, own gradient sum B G (1 - G) (b - x) / reach^2,
 * positions clipped to [0, 1]. Points are padded to a multiple of LANES with weight 0, and sums are kept
 * in LANES parts, so that the compiler vectorises without being allowed to reorder anything. Under -ffast-math,
 * which would undo the rounding below, exp is the vector library's. */
#include <math.h>
#include <stdint.h>
#include <string.h>

#define LANES 8
#define MOST_POINTS 1024
#define MOST_PLAYERS 16

#ifdef __FAST_MATH__
#define exponential exp
#else
/* exp for x in [-700, 0]: 2^k times a polynomial on [-ln2/2, ln2/2]; relative error below 2e-15 */
static inline double exponential(double x)
{
    x = x < -700.0 ? -700.0 : x;
    const double shift = 6755399441055744.0; /* 1.5 * 2^52: adding it rounds to a whole number */
    double t = x * 1.4426950408889634 + shift;
    int64_t bits;
    memcpy(&bits, &t, 8);
    double k = t - shift;
    double r = x - k * 6.93147180369123816490e-01;
    r = r - k * 1.90821492927058770002e-10;
    double p = 1.6059043836821613e-10;
    p = p * r + 2.08767569878681e-09;
    p = p * r + 2.505210838544172e-08;
    p = p * r + 2.755731922398589e-07;
    p = p * r + 2.7557319223985893e-06;
    p = p * r + 2.48015873015873e-05;
    p = p * r + 1.984126984126984e-04;
    p = p * r + 1.388888888888889e-03;
    p = p * r + 8.333333333333333e-03;
    p = p * r + 4.1666666666666664e-02;
    p = p * r + 1.6666666666666666e-01;
    p = p * r + 0.5;
    p = p * r + 1.0;
    p = p * r + 1.0;
    int64_t power = (bits << 52) + ((int64_t)1023 << 52);
    double two;
    memcpy(&two, &power, 8);
    return p * two;
}
#endif

static void one_step(int players, int padded, const double *b, const double *weight, double reach, double rate,
                     double *x)
{
    static _Thread_local double influence[MOST_PLAYERS][MOST_POINTS];
    static _Thread_local double top[MOST_POINTS], total[MOST_POINTS];
    double flat = -0.5 / (reach * reach), steep = 1.0 / (reach * reach);
    for (int k = 0; k < padded; k++)
        top[k] = -1e300, total[k] = 0.0;
    for (int i = 0; i < players; i++)
        for (int k = 0; k < padded; k++) {
            double d = b[k] - x[i], l = d * d * flat;
            influence[i][k] = l;
            top[k] = l > top[k] ? l : top[k];
        }
    for (int i = 0; i < players; i++)
        for (int k = 0; k < padded; k++) {
            double e = exponential(influence[i][k] - top[k]);
            influence[i][k] = e;
            total[k] += e;
        }
    for (int k = 0; k < padded; k++)
        total[k] = 1.0 / total[k];
    for (int i = 0; i < players; i++) {
        double part[LANES] = {0};
        for (int k = 0; k < padded; k += LANES)
            for (int j = 0; j < LANES; j++) {
                double g = influence[i][k + j] * total[k + j];
                part[j] += weight[k + j] * g * (1.0 - g) * (b[k + j] - x[i]);
            }
        double sum = 0.0;
        for (int j = 0; j < LANES; j++)
            sum += part[j];
        double moved = x[i] + rate * (sum * steep);
        x[i] = moved < 0.0 ? 0.0 : moved > 1.0 ? 1.0 : moved;
    }
}

/* x [games][players] is moved in place; b and weight have `padded` entries, a multiple of LANES */
void ascend(int games, int players, int padded, int steps, const double *b, const double *weight,
            const double *reach, double rate, double *x)
{
    for (int g = 0; g < games; g++)
        for (int t = 0; t < steps; t++)
            one_step(players, padded, b, weight, reach[g], rate, x + g * players);
}

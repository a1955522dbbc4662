/* One backward pass of docs/bound.md in C, volumes in money: what benchmarks/bound.py measures against.
   Tables are (orders 2..M, nodes) unless said; costs are (nodes, kinds, nodes of G). */

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#define FAR 1e100

typedef struct {
    int64_t steps, nodes, kinds, rows, fill;
    double largest_low, largest_high, middle, spread, most, nu, tau, least_spread, constant;
} Setting;

typedef struct {
    double factor, own, price, average, over, low;
} Weights;

/* Cost of a need and its slope; r is v_k over what is held before it at fills, after it on the path. */
static double cost(const Setting *s, const Weights *w, double r, double c, double *slope, double *bend)
{
    double off = c - s->middle, one = 1 / (1 + c), log_factor, log1, log2, price, price1, price2, average, average1, average2;
    if (s->fill) {
        double pull = c * r, kept = pull < s->most ? pull : s->most;
        log1 = -r / (1 - kept);
        log2 = pull < s->most ? -log1 * log1 : 0;
        log_factor = log1p(-kept) - (pull - kept) / (1 - s->most);
        price = (1 + r) * one - r;
        price1 = -(1 + r) * one * one;
        price2 = 2 * (1 + r) * one * one * one;
        average = 1 - pull;
        average1 = -r;
        average2 = 0;
    } else {
        double held = 1 / (1 + c * r);
        log1 = -r * held;
        log2 = log1 * log1;
        log_factor = -log1p(c * r);
        price = one;
        price1 = -one * one;
        price2 = 2 * one * one * one;
        average = held;
        average1 = -r * held * held;
        average2 = 2 * r * r * held * held * held;
    }
    *slope = 2 * s->spread * off + w->factor * log1 + w->own * one - w->price * price1 - w->average * average1;
    *bend = 2 * s->spread + w->factor * log2 - w->own * one * one - w->price * price2 - w->average * average2;
    return s->spread * off * off + w->factor * log_factor + w->own * log1p(c) - w->price * price - w->average * average;
}

static double least(const Setting *s, const Weights *w, double low, double r, double most)
{
    most = most < s->largest_high ? most : s->largest_high;
    double slope, bend, from = 0, to = s->largest_low < most ? s->largest_low : most, extra = 0;
    cost(s, w, r, s->largest_low, &slope, &bend);
    if (slope + w->over < 0 && s->largest_low < most) {
        from = s->largest_low;
        to = most;
        extra = w->over;
    }
    double c = s->middle < from ? from : s->middle > to ? to : s->middle;
    for (int step = 0;; step++) {
        double value = cost(s, w, r, c, &slope, &bend);
        slope += extra;
        if ((c <= from && slope > 0) || (c >= to && slope < 0))
            slope = 0;
        double loss = slope * slope / (2 * low);
        if (step == 12 || loss < 1e-10)
            return value + extra * (c - s->largest_low) - loss;
        c -= slope / (bend > low ? bend : low);
        c = c < from ? from : c > to ? to : c;
    }
}

static double dip(double left, double right, double drop, double low, double high)
{
    double rise = right - left, place = 0.5 - rise / (8 * drop);
    place = place < low ? low : place > high ? high : place;
    return left + place * (rise - 4 * drop * (1 - place));
}

/* Least cost from each node before, by kind and G; `before` is what is held there over the last volume. */
static void ahead(int64_t nodes, int64_t kinds, int64_t rows, const double *u, double low, double step, double drop,
                  const double *windows, const double *costs, double *whole, double before, double most_growth, double *out)
{
    for (int64_t kind = 0; kind < kinds; kind++) {
        double *best = out + kind * rows;
        for (int64_t g = 0; g < rows; g++)
            best[g] = FAR;
        double growth[2] = {windows[2 * kind], windows[2 * kind + 1]};
        growth[1] = growth[1] < most_growth ? growth[1] : most_growth;
        if (growth[0] > growth[1])
            continue;
        int64_t cell[2];
        double place[2];
        for (int end = 0; end < 2; end++) {
            double target = before / growth[1 - end];
            int64_t at = (int64_t)(log(target / low) / step);
            at = at < 0 ? 0 : at > nodes - 2 ? nodes - 2 : at;
            double where = (target - u[at]) / (u[at + 1] - u[at]);
            cell[end] = at;
            place[end] = where < 0 ? 0 : where > 1 ? 1 : where;
        }
        for (int64_t g = 0; g < rows; g++) {
            const double *row = costs + kind * rows + g, *inner = whole + kind * rows + g;
            int64_t stride = kinds * rows, first = cell[0] * stride, last = cell[1] * stride;
            int same = cell[0] == cell[1];
            double value = dip(row[first], row[first + stride], drop, place[0], same ? place[1] : 1);
            double other = dip(row[last], row[last + stride], drop, same ? place[0] : 0, place[1]);
            value = other < value ? other : value;
            for (int64_t at = first + stride; at < last; at += stride)
                value = inner[at] < value ? inner[at] : value;
            best[g] = value;
        }
    }
}

double backward(const Setting *s, const Weights *weights, const double *lows, const double *u, const double *steps,
                const double *volume, const double *share, const double *g, const double *drops, const double *windows,
                const double *wave, const double *most_growth, const double *most)
{
    int64_t nodes = s->nodes, kinds = s->kinds, rows = s->rows, size = nodes * kinds * rows;
    double *costs = malloc(3 * size * sizeof(double)), *whole = costs + size, *after = whole + size;
    double *near = malloc(kinds * rows * sizeof(double)), best = FAR;
    for (int64_t j = s->steps - 1; j >= 0; j--) {
        const double *at = u + j * nodes, *mine = g + j * rows, *next = mine + rows;
        for (int64_t n = 0; n < nodes; n++) {
            double x = at[n], left = 1 - share[j * nodes + n];
            double ratio = s->fill ? 1 / x : 1 / (1 + x), other = -s->nu * log(x);
            if (j == s->steps - 1)
                other += s->nu * log1p(x) + s->tau * (s->least_spread - 1 - x);
            for (int64_t kind = 0; kind < kinds; kind++) {
                double own = other + least(s, weights + j, lows[j * nodes + n], ratio, most[(j * nodes + n) * kinds + kind]);
                for (int64_t i = 0; i < rows; i++) {
                    double reached = volume[j * nodes + n] + left * mine[i], value = reached;
                    if (j < s->steps - 1) {
                        const double *row = after + (n * kinds + kind) * rows;
                        double place = (reached - next[0]) / (next[1] - next[0]);
                        int64_t cell = (int64_t)place;
                        cell = cell > rows - 2 ? rows - 2 : cell;
                        value = row[cell] + (place - cell) * (row[cell + 1] - row[cell]);
                    }
                    costs[(n * kinds + kind) * rows + i] = own + value;
                }
            }
        }
        for (int64_t e = 0; e < size - kinds * rows; e++)
            whole[e] = dip(costs[e], costs[e + kinds * rows], drops[j], 0, 1);
        for (int64_t n = 0; n < (j ? nodes : 1); n++) {
            double before = j ? 1 + at[n - nodes] : 1;
            ahead(nodes, kinds, rows, at, at[0], steps[j], drops[j], windows + 2 * j * kinds, costs, whole, before,
                  most_growth[j * nodes + n], near);
            for (int64_t kind = 0; j && kind < kinds; kind++)
                for (int64_t i = 0; i < rows; i++) {
                    double value = FAR;
                    for (int64_t later = 0; later < kinds; later++) {
                        double sum = near[later * rows + i] + wave[kind * kinds + later];
                        value = sum < value ? sum : value;
                    }
                    after[(n * kinds + kind) * rows + i] = value + s->nu * log(before);
                }
            for (int64_t kind = 0; !j && kind < kinds; kind++)
                best = near[kind * rows] < best ? near[kind * rows] : best;
        }
    }
    free(costs);
    free(near);
    return best + s->constant;
}

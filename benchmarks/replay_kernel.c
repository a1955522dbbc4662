/* The replay of docs/replay.md in C, one ladder after the other: what benchmarks/replay.py measures against.
   Compile without contraction of products and sums, so that it rounds as numpy does; BLOCK is candles of a block. */

#include <math.h>
#include <stdint.h>

enum { MOST_ORDERS = 200, MOST_EDGES = 1000 };

static double least(double a, double b) { return a < b ? a : b; }

/* Tables are (orders, ladders); ended and end_candles have a row more, for the stop; spans is (edges, ladders). */
void replay(int64_t candles, const double *points, const double *lows, const double *highs, const double *block_lows,
            const double *block_highs, int64_t orders, int64_t ladders, const double *down, const double *up,
            int64_t *ended, int64_t *end_candles, int64_t *fill_candles, double *lowest, const int64_t *bins,
            int64_t edges, int32_t *spans, int64_t *longest, int64_t *open_depth, int64_t *open_began,
            double *open_entry, double *open_low)
{
    for (int64_t ladder = 0; ladder < ladders; ladder++) {
        double next_down[MOST_ORDERS], next_up[MOST_ORDERS];
        int64_t count[MOST_ORDERS + 1] = {0}, count_end[MOST_ORDERS + 1] = {0}, count_fill[MOST_ORDERS] = {0};
        int32_t count_span[MOST_EDGES] = {0};
        for (int64_t k = 0; k < orders; k++) {
            next_down[k] = down[k * ladders + ladder];
            next_up[k] = up[k * ladders + ladder];
        }
        double entry = points[0], low = entry, lowest_of_all = INFINITY, below = entry * next_down[0], above = entry * next_up[0];
        int64_t depth = 0, began = 0;
        for (int64_t block = 0; block < candles; block += BLOCK) {
            if (block_lows[block / BLOCK] > below && block_highs[block / BLOCK] < above) {
                low = least(low, block_lows[block / BLOCK]);
                continue;
            }
            int64_t last = block + BLOCK < candles ? block + BLOCK : candles;
            for (int64_t candle = block; candle < last; candle++) {
                if (lows[candle] > below && highs[candle] < above) {
                    low = least(low, lows[candle]);
                    continue;
                }
                for (int point = 0; point < 4; point++) {
                    double price = points[4 * candle + point];
                    for (;;) {
                        int stopped = 0;
                        double end;
                        if (price <= below && depth < orders - 1) {
                            depth++;
                            count_fill[depth] += candle;
                            below = entry * next_down[depth];
                            above = entry * next_up[depth];
                            continue;
                        }
                        if (price <= below) {
                            end = below;
                            stopped = 1;
                        } else if (price >= above)
                            end = above;
                        else
                            break;
                        int64_t row = depth + stopped;
                        count[row] += 1;
                        count_end[row] += candle;
                        lowest_of_all = least(lowest_of_all, least(low, end) / entry);
                        if (candle - began > longest[ladder])
                            longest[ladder] = candle - began;
                        count_span[bins[candle - began]]++;
                        entry = low = end;
                        depth = 0;
                        began = candle;
                        below = entry * next_down[0];
                        above = entry * next_up[0];
                    }
                    low = least(low, price);
                }
            }
        }
        for (int64_t k = 0; k <= orders; k++) {
            ended[k * ladders + ladder] = count[k];
            end_candles[k * ladders + ladder] = count_end[k];
            if (k < orders)
                fill_candles[k * ladders + ladder] = count_fill[k];
        }
        for (int64_t edge = 0; edge < edges; edge++)
            spans[edge * ladders + ladder] = count_span[edge];
        lowest[ladder] = lowest_of_all;
        open_depth[ladder] = depth + 1;
        open_began[ladder] = began;
        open_entry[ladder] = entry;
        open_low[ladder] = low;
    }
}

/* Latencies of one run: every one is kept, percentiles are exact. */
#ifndef BENCH_LATENCY_H
#define BENCH_LATENCY_H

#include <stddef.h>
#include <stdint.h>

struct latencies {
    uint64_t *values_ns;
    size_t count, room;
};

void latencies_begin(struct latencies *latencies, size_t room);
void latencies_add(struct latencies *latencies, uint64_t value_ns);

/* Print as members of a JSON object, without braces. */
void latencies_print(struct latencies *latencies);

#endif

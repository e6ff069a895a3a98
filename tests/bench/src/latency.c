#include "latency.h"

#include "net.h"

#include <stdio.h>
#include <stdlib.h>

void latencies_begin(struct latencies *latencies, size_t room)
{
    free(latencies->values_ns);
    latencies->values_ns = calloc(room, sizeof *latencies->values_ns);
    latencies->count = 0;
    latencies->room = room;
    if (latencies->values_ns == NULL)
        die("out of memory");
}

void latencies_add(struct latencies *latencies, uint64_t value_ns)
{
    if (latencies->count == latencies->room)
        die("more operations than announced");
    latencies->values_ns[latencies->count++] = value_ns;
}

static int ascending(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;

    return (a > b) - (a < b);
}

/* Nearest rank: the smallest value that at least `per_mille` of all do not exceed. */
static unsigned long long rank(const struct latencies *latencies, size_t per_mille)
{
    size_t index = (latencies->count * per_mille + 999) / 1000;

    if (latencies->count == 0)
        return 0;
    return latencies->values_ns[index > 0 ? index - 1 : 0];
}

void latencies_print(struct latencies *latencies)
{
    qsort(latencies->values_ns, latencies->count, sizeof *latencies->values_ns, ascending);
    printf("\"p50_ns\": %llu, \"p90_ns\": %llu, \"p99_ns\": %llu, \"max_ns\": %llu",
           rank(latencies, 500), rank(latencies, 900), rank(latencies, 990), rank(latencies, 1000));
}

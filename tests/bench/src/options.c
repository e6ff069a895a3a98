#define _GNU_SOURCE
#include "options.h"

#include "net.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

static enum work work_named(const char *name)
{
    static const char *names[] = {"login", "noop", "fetch", "append"};

    for (int i = 0; i < 4; i++)
        if (strcmp(names[i], name) == 0)
            return (enum work)i;
    die("no such work: %s", name);
}

static enum tls tls_named(const char *name)
{
    static const char *names[] = {"off", "implicit", "starttls"};

    for (int i = 0; i < 3; i++)
        if (strcmp(names[i], name) == 0)
            return (enum tls)i;
    die("no such TLS: %s", name);
}

struct options read_options(int argc, char **argv)
{
    struct options options = {
        .script = find_script("imap"),
        .work = LOGIN,
        .sessions = 50,
        .size = 6000,
        .users = 1000,
        .user_prefix = "user",
        .user_suffix = "",
        .deadline_s = 60,
    };
    static const struct option known[] = {
        {"port", required_argument, NULL, 'p'},     {"protocol", required_argument, NULL, 'P'},
        {"work", required_argument, NULL, 'w'},     {"sessions", required_argument, NULL, 'n'},
        {"size", required_argument, NULL, 's'},     {"users", required_argument, NULL, 'u'},
        {"rate", required_argument, NULL, 'r'},     {"deadline", required_argument, NULL, 'd'},
        {"user-prefix", required_argument, NULL, 'U'}, {"user-suffix", required_argument, NULL, 'S'},
        {"first-user", required_argument, NULL, 'f'},  {"tls", required_argument, NULL, 't'},
        {"resume", required_argument, NULL, 'R'},      {NULL, 0, NULL, 0},
    };
    int option;

    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
        switch (option) {
        case 'p': options.port = (uint16_t)atoi(optarg); break;
        case 'P': options.script = find_script(optarg); break;
        case 'w': options.work = work_named(optarg); break;
        case 'n': options.sessions = strtoul(optarg, NULL, 10); break;
        case 's': options.size = strtoull(optarg, NULL, 10); break;
        case 'u': options.users = (unsigned)strtoul(optarg, NULL, 10); break;
        case 'U': options.user_prefix = optarg; break;
        case 'S': options.user_suffix = optarg; break;
        case 'f': options.first_user = (unsigned)strtoul(optarg, NULL, 10); break;
        case 't': options.tls = tls_named(optarg); break;
        case 'R': options.resume = atoi(optarg) != 0; break;
        case 'r': options.rate = atof(optarg); break;
        case 'd': options.deadline_s = atof(optarg); break;
        default: die("unknown option");
        }
    }
    if (options.port == 0 || options.script == NULL || options.users == 0)
        die("needs --port, a protocol that exists, and users");
    return options;
}

/* Load generator. Bounded in operations and time; any failed operation is a failed run.
 *
 * Prints "ready", then for every line "run COUNT" on standard input one JSON object. Ends with 0
 * when its input ends, 1 after a failed operation, 3 at the deadline. options.h has its options. */
#define _GNU_SOURCE
#include "latency.h"
#include "net.h"
#include "options.h"
#include "script.h"
#include "stream.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SETUP_AT_ONCE 64

enum stage { IN_CLEAR, CONNECTING, SHAKING, LOGGING_IN, LEAVING, ENDING, IDLE, WORKING };

struct session {
    struct stream stream;
    enum stage stage;
    size_t step;           /* row of the login script, or before TLS of the one for STARTTLS */
    SSL_SESSION *ticket;   /* of the last connection of this slot */
    uint64_t due_ns;       /* when the running operation was due */
    uint64_t bulk;         /* octets still to receive or send */
    bool blocked;          /* waiting for room in the socket */
    size_t input_length;
    char input[512];
};

static struct options options;
static SSL_CTX *tls;
static int epoll_fd;
static uint64_t deadline_ns;
static struct session *sessions;
static struct latencies latencies;
static size_t started, finished, wanted; /* operations of the run, or logins of the set-up */
static bool setting_up;
static unsigned next_user;
static uint64_t first_due_ns, octets;
static const struct exchange fetch_end = {NULL, "a2 OK", NULL};

static void fail(const struct session *session, const char *what)
{
    fprintf(stderr, "load: %s (operation %zu of %zu, stage %d, step %zu, %.1f ms, got \"%.*s\")\n",
            what, finished, wanted, session->stage, session->step,
            (double)(now_ns() - session->due_ns) / 1e6, (int)session->input_length, session->input);
    exit(1);
}

static void say(struct session *session, const struct exchange *exchange)
{
    char user[64], command[256];
    size_t length;

    snprintf(user, sizeof user, "%s%u%s", options.user_prefix,
             options.first_user + next_user % options.users, options.user_suffix);
    length = render(exchange, user, command, sizeof command);
    if (strcmp(exchange->command, command) != 0)
        next_user++;
    session->input_length = 0;
    if (stream_send(&session->stream, command, length) != (ssize_t)length)
        fail(session, "could not send a command at once");
}

/* Makes everything ready but the connection, so that a storm is made of nothing but connects. */
static void prepare_session(struct session *session)
{
    static const enum stage first[] = {
        [NO_TLS] = LOGGING_IN, [IMPLICIT] = CONNECTING, [STARTTLS] = IN_CLEAR};

    session->stage = first[options.tls];
    session->step = 0;
    session->input_length = 0;
    session->stream.fd = make_socket();
    watch(epoll_fd, session->stream.fd, session->stage == CONNECTING ? EPOLLOUT : EPOLLIN, session);
}

static void start_session(struct session *session, uint64_t due_ns)
{
    started++;
    session->due_ns = due_ns;
    connect_loopback(session->stream.fd, options.port);
}

static void open_session(struct session *session, uint64_t due_ns)
{
    prepare_session(session);
    start_session(session, due_ns);
}

static void push_upload(struct session *session)
{
    while (session->bulk > 0) {
        size_t chunk = session->bulk < BULK_CHUNK ? (size_t)session->bulk : BULK_CHUNK;
        ssize_t sent = stream_send(&session->stream, filler(), chunk);

        if (sent < 0)
            fail(session, "connection lost in an upload");
        session->bulk -= (uint64_t)sent;
        if (sent == 0) {
            if (!session->blocked)
                rewatch(epoll_fd, session->stream.fd, EPOLLIN | EPOLLOUT, session);
            session->blocked = true;
            return;
        }
    }
    if (session->blocked)
        rewatch(epoll_fd, session->stream.fd, EPOLLIN, session);
    session->blocked = false;
}

static void begin_work(struct session *session)
{
    struct exchange bulk = {NULL, "a2 OK", NULL};
    char command[64];

    started++;
    session->due_ns = now_ns();
    session->stage = WORKING;
    if (options.work == NOOP) {
        say(session, &options.script->noop);
        return;
    }
    snprintf(command, sizeof command, "a2 %s %llu\r\n",
             options.work == FETCH ? "FETCHBULK" : "APPENDBULK", (unsigned long long)options.size);
    bulk.command = command;
    say(session, &bulk);
    octets += options.size;
    session->bulk = options.size;
    if (options.work == APPEND)
        push_upload(session);
}

static void done(struct session *session)
{
    if (!setting_up)
        latencies_add(&latencies, now_ns() - session->due_ns);
    finished++;
    session->stage = IDLE;
    if (options.work == LOGIN || setting_up) {
        if (started < wanted && options.rate == 0)
            open_session(setting_up ? &sessions[started] : session, now_ns());
    } else if (started < wanted) {
        begin_work(session);
    }
}

static int keep_ticket(SSL *ssl, SSL_SESSION *ticket)
{
    struct session *session = stream_owner(ssl);

    SSL_SESSION_free(session->ticket);
    session->ticket = ticket;
    return 1;
}

static void shake_hands(struct session *session)
{
    int result = stream_shake(&session->stream);

    if (result < 0)
        fail(session, stream_error());
    if (result == 0)
        return;
    if (options.resume && session->ticket != NULL && !SSL_session_reused(session->stream.ssl))
        fail(session, "TLS session not resumed");
    session->stage = LOGGING_IN;
    session->step = 0;
    session->input_length = 0;
    if (options.tls == STARTTLS)
        say(session, &options.script->login[++session->step]);
}

static void begin_tls(struct session *session)
{
    if (session->stage == CONNECTING)
        rewatch(epoll_fd, session->stream.fd, EPOLLIN, session);
    session->stage = SHAKING;
    stream_connect_tls(&session->stream, tls, options.resume ? session->ticket : NULL, session);
    shake_hands(session);
}

static void advance(struct session *session)
{
    const struct script *script = options.script;

    switch (session->stage) {
    case IN_CLEAR:
        if (++session->step < script->starttls_count)
            say(session, &script->starttls[session->step]);
        else
            begin_tls(session);
        break;
    case LOGGING_IN:
        if (++session->step < script->login_count) {
            say(session, &script->login[session->step]);
        } else if (setting_up) {
            done(session);
        } else {
            session->stage = LEAVING;
            say(session, &script->leave);
        }
        break;
    case LEAVING:
        session->stage = ENDING;
        session->input_length = 0;
        break;
    case WORKING:
        done(session);
        break;
    case CONNECTING:
    case SHAKING:
    case IDLE:
    case ENDING:
        fail(session, "octets nobody asked for");
    }
}

static const struct exchange *expected(const struct session *session)
{
    if (session->stage == IN_CLEAR)
        return &options.script->starttls[session->step];
    if (session->stage == LOGGING_IN)
        return &options.script->login[session->step];
    if (session->stage == LEAVING)
        return &options.script->leave;
    return options.work == NOOP ? &options.script->noop : &fetch_end;
}

static void at_end(struct session *session)
{
    if (session->stage != ENDING)
        fail(session, "connection closed");
    stream_close(&session->stream);
    done(session);
}

static void on_readable(struct session *session)
{
    static char sink[BULK_CHUNK];
    bool downloading = session->stage == WORKING && options.work == FETCH && session->bulk > 0;
    ssize_t received;

    if (downloading) {
        size_t most = session->bulk < sizeof sink ? (size_t)session->bulk : sizeof sink;

        received = stream_receive(&session->stream, sink, most);
        if (received > 0) {
            session->bulk -= (uint64_t)received;
            return;
        }
    } else {
        received = stream_receive(&session->stream, session->input + session->input_length,
                                  sizeof session->input - session->input_length);
    }
    if (received == -2)
        return;
    if (received < 0)
        fail(session, strerror(errno));
    if (received == 0) {
        at_end(session);
        return;
    }
    session->input_length += (size_t)received;
    switch (judge(expected(session), session->input, session->input_length)) {
    case COMPLETE:
        advance(session);
        break;
    case UNEXPECTED:
        fail(session, "unexpected answer");
        break;
    case INCOMPLETE:
        if (session->input_length == sizeof session->input)
            fail(session, "answer too long");
    }
}

/* Reads until epoll knows of everything that is still to be read. */
static void read_all(struct session *session)
{
    do
        on_readable(session);
    while (session->stage != CONNECTING && session->stage != SHAKING &&
           stream_holds_input(&session->stream));
}

/* Opens what is due in an open loop. Gives the time until the next is due, or -1 when none is. */
static int64_t open_due(void)
{
    while (options.rate > 0 && !setting_up && started < wanted) {
        uint64_t due_ns = first_due_ns + (uint64_t)((double)started * 1e9 / options.rate);
        uint64_t now = now_ns();
        size_t slot = 0;

        if (due_ns > now)
            return (int64_t)(due_ns - now);
        while (slot < options.sessions && sessions[slot].stage != IDLE)
            slot++;
        if (slot == options.sessions)
            return -1;
        open_session(&sessions[slot], due_ns);
    }
    return -1;
}

static void loop_until_done(void)
{
    struct epoll_event events[256];

    while (finished < wanted) {
        int64_t wait_ns = open_due();
        struct timespec wait = {1, 0};

        if (wait_ns >= 0 && wait_ns < 1000000000)
            wait = (struct timespec){0, wait_ns};
        int count = epoll_pwait2(epoll_fd, events, 256, &wait, NULL);

        for (int i = 0; i < count; i++) {
            struct session *session = events[i].data.ptr;

            if (session->blocked && events[i].events & EPOLLOUT)
                push_upload(session);
            if (session->stage == CONNECTING)
                begin_tls(session);
            else if (session->stage == SHAKING)
                shake_hands(session);
            else if (events[i].events & ~(uint32_t)EPOLLOUT)
                read_all(session);
        }
        if (now_ns() > deadline_ns) {
            fprintf(stderr, "load: deadline, %zu of %zu operations done\n", finished, wanted);
            exit(3);
        }
    }
}

static void set_up(void)
{
    setting_up = true;
    started = finished = 0;
    wanted = options.work == LOGIN ? 0 : options.sessions;
    for (size_t i = 0; i < SETUP_AT_ONCE && i < wanted; i++)
        open_session(&sessions[i], now_ns());
    loop_until_done();
    setting_up = false;
}

static void run(size_t count)
{
    size_t at_once = options.sessions < count ? options.sessions : count;
    uint64_t begun_ns;

    if (options.rate > 0)
        at_once = 0;
    latencies_begin(&latencies, count);
    started = finished = 0;
    octets = 0;
    wanted = count;
    for (size_t i = 0; i < at_once && options.work == LOGIN; i++)
        prepare_session(&sessions[i]);
    first_due_ns = begun_ns = now_ns();
    for (size_t i = 0; i < at_once; i++) {
        if (options.work == LOGIN)
            start_session(&sessions[i], begun_ns);
        else
            begin_work(&sessions[i]);
    }
    loop_until_done();
    printf("{\"operations\": %zu, \"elapsed_ns\": %llu, \"octets\": %llu, ", finished,
           (unsigned long long)(now_ns() - begun_ns), (unsigned long long)octets);
    latencies_print(&latencies);
    printf("}\n");
    fflush(stdout);
}

int main(int argc, char **argv)
{
    struct rlimit files;
    char line[64];

    options = read_options(argc, argv);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    deadline_ns = now_ns() + (uint64_t)(options.deadline_s * 1e9);
    if (options.tls != NO_TLS) {
        tls = client_tls();
        SSL_CTX_sess_set_new_cb(tls, keep_ticket);
    }
    epoll_fd = make_epoll();
    sessions = calloc(options.sessions + 1, sizeof *sessions);
    if (sessions == NULL)
        die("out of memory");
    for (size_t i = 0; i < options.sessions; i++)
        sessions[i].stage = IDLE;
    set_up();
    printf("ready\n");
    fflush(stdout);
    while (fgets(line, sizeof line, stdin) != NULL) {
        size_t count;

        if (sscanf(line, "run %zu", &count) != 1)
            die("what is \"%s\"?", line);
        deadline_ns = now_ns() + (uint64_t)(options.deadline_s * 1e9);
        run(count);
    }
    return 0;
}

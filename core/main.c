// The program: command line and signals; wires configuration, scripts and
// server together.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

#include "base/arguments.h"
#include "base/config.h"
#include "base/cpu_limit.h"
#include "base/deadline.h"
#include "base/error.h"
#include "base/log.h"
#include "base/log_out.h"
#include "base/mem.h"
#include "base/signals.h"
#include "base/nearest.h"
#include "base/number.h"
#include "net/address.h"
#include "net/server.h"
#include "script/bind/modules.h"
#include "script/reload/bundle.h"
#include "script/reload/config_file.h"
#include "script/reload/control.h"
#include "script/reload/reload.h"
#include "script/reload/types_file.h"
#include "script/serve/app.h"
#include "script/vm/output.h"
#include "script/vm/watchdog.h"

enum { EXIT_USAGE = 2 };

extern char **environ;

static const char usage[] =
    "usage: tidegate [flags] DIR      serve the scripts in DIR\n"
    "       tidegate --check DIR      load everything, print the routes and exit\n"
    "       tidegate reload DIR       have the running server of DIR reload its scripts\n"
    "       tidegate types DIR        write DIR/tidegate.lua: types of the functions for editors\n";

// `tidegate NAME DIR`; `run` returns the exit status.
static const struct command {
  const char *name;
  int (*run)(const char *dir);
} commands[] = {{"reload", control_reload}, {"types", types_file_write}};
enum { COMMANDS = sizeof commands / sizeof *commands };

// ---- command line --------------------------------------------------------

static int usage_error(char *error) {
  bool asks = error[strlen(error) - 1] == '?';
  log_plain("tidegate: %s%s tidegate --help", error, asks ? " See" : "; see");
  free(error);
  return EXIT_USAGE;
}

static bool is_folder(const char *path) {
  struct stat info;
  return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

// What words that are no command with its DIR were meant to be; NULL: a DIR.
static char *explain_words(const struct arguments *args) {
  const char *names[COMMANDS];
  for (size_t i = 0; i < COMMANDS; i++) names[i] = commands[i].name;
  const char *meant = nearest_name(args->dir, names, COMMANDS);
  const char *dashes = "";
  if (meant == NULL) {
    meant = nearest_name(args->dir, arguments_others, ARGUMENTS_OTHERS);
    dashes = "--";
  }
  if (meant != NULL && access(args->dir, F_OK) != 0)
    return mem_format("unknown command %s; did you mean %s%s?", args->dir, dashes, meant);
  if (args->second == NULL) return NULL;
  return mem_format("one DIR is served, not %s and %s", args->dir, args->second);
}

// An exit status, or -1 when there is a DIR to serve or check.
static int read_arguments(struct arguments *args, int argc, char **argv) {
  char *error = arguments_parse(args, argc, argv);
  if (error == NULL && args->asks != ARGUMENTS_RUN)
    return arguments_print(args, usage), EXIT_SUCCESS;
  if (error == NULL)
    error = args->dir != NULL ? explain_words(args) : mem_strdup("no DIR to serve");
  return error == NULL ? -1 : usage_error(error);
}

// Runs `tidegate NAME DIR`; -1 when that is none. A folder may have a command's name.
static int run_command(int argc, char **argv) {
  for (size_t i = 0; argc > 1 && i < COMMANDS; i++) {
    if (strcmp(argv[1], commands[i].name) != 0) continue;
    if (argc == 3 && argv[2][0] != '-') {
      signals_end_command();
      return commands[i].run(argv[2]);
    }
    if (argc != 2 || !is_folder(argv[1]))
      return usage_error(mem_format("%s takes one DIR and nothing else", argv[1]));
  }
  return -1;
}

static int fail(char *error) {
  log_plain("tidegate: %s", error);
  free(error);
  return EXIT_FAILURE;
}

// Where the addresses were given, for an error.
static char *name_listen(const struct arguments *args) {
  switch (args->config.layers[config_key_find("listen", 6) - config_keys]) {
    case CONFIG_FILE:
      return mem_format("%s/config.lua: listen", args->dir);
    case CONFIG_ENVIRONMENT:
      return mem_strdup("environment variable TIDEGATE_LISTEN");
    default:
      return mem_strdup("--listen");
  }
}

static char *check_listen(const struct arguments *args) {
  char *error = NULL;
  for (size_t i = 0; error == NULL && i < args->config.listen_count; i++)
    error = address_check(args->config.listen[i]);
  if (error == NULL) return NULL;
  char *where = name_listen(args);
  char *named = mem_format("%s: %s", where, error);
  free(where);
  free(error);
  return named;
}

// config.lua, which may run for handler_time. What cannot be ended there ends the process.
static char *read_config_file(struct arguments *args) {
  char *line = mem_format(
      "tidegate: %s/config.lua does not end, in a function of C (handler_time)\n", args->dir);
  cpu_limit_start(WATCHDOG_START_LIMITS * args->config.handler_time_ms, line);
  char *error = config_file_apply(&args->config, args->dir, args->config.handler_time_ms);
  cpu_limit_stop();
  free(line);
  return error;
}

// Configuration from file and environment, under the flags.
static char *complete_config(struct arguments *args) {
  struct stat info;
  if (stat(args->dir, &info) != 0) return mem_format("%s: %s", args->dir, error_text(errno));
  if (!S_ISDIR(info.st_mode)) return mem_format("%s: %s", args->dir, error_text(ENOTDIR));
  // The environment first: handler_time of it holds for the file. Layers decide who wins.
  char *error = config_apply_environment(&args->config, environ);
  if (error == NULL) error = read_config_file(args);
  enum log_level level = LOG_INFO;
  log_level_parse(args->config.log_level, &level);
  log_set_level(level);
  config_warn_environment(environ);
  return error != NULL ? error : check_listen(args);
}

// ---- running -------------------------------------------------------------

enum {
  GRACE_MARGIN_MS = 2000,  // for what cannot be cut short, beyond `grace`
};

struct running {
  struct script_start start;
  size_t script_count;
  struct server server;
  struct reload *reload;
  uv_loop_t loop;
  uv_poll_t signals;
};

static void stop(struct running *running) {
  reload_stop(running->reload);
  server_stop(&running->server);
  uv_close((uv_handle_t *)&running->signals, NULL);
  signals_end_process();  // from here on a second signal does, at once
}

static void on_grace_over(void *arg) {
  const struct running *running = arg;
  script_log_stuck(&running->server);
  log_error("not stopped within `grace` and %d s: ending now", GRACE_MARGIN_MS / 1000);
  log_out_stop();
}

static void on_signals(uv_poll_t *poll, int status, int events) {
  struct running *running = poll->data;
  (void)status, (void)events;
  int number = signals_next();
  for (; number == SIGHUP; number = signals_next()) reload_request(running->reload);
  if (number == 0) return;
  log_info("stopping within %g s", (double)running->server.config->grace_ms / 1000);
  deadline_start(running->server.config->grace_ms + GRACE_MARGIN_MS, on_grace_over, running);
  stop(running);
}

static void tell_ready(struct running *running) {
  log_info("ready: generation 1, %zu scripts, %zu routes, %zu workers", running->script_count,
           running->start.route_count, running->server.worker_count);
  server_log_addresses(&running->server);
}

// The main thread's loop, with signals on it. False, with errno, when there is no descriptor.
static bool open_loop(struct running *running) {
  int fd = signals_note();
  if (fd < 0) return false;
  int failure = uv_loop_init(&running->loop);
  if (failure == 0) failure = uv_poll_init(&running->loop, &running->signals, fd);
  running->signals.data = running;
  if (failure == 0) failure = uv_poll_start(&running->signals, UV_READABLE, on_signals);
  errno = -failure;
  return failure == 0;
}

static char *run(struct running *running) {
  if (!open_loop(running))
    return mem_format("cannot start the main event loop: %s", error_text(errno));
  // Watching begins first: who sees us listen may save a script at once.
  running->reload = reload_start(&running->loop, &running->server, running->start.dir);
  char *error = server_start(&running->server);
  if (error == NULL)
    tell_ready(running);
  else
    stop(running);
  uv_run(&running->loop, UV_RUN_DEFAULT);
  server_join(&running->server);
  reload_free(running->reload);
  uv_run(&running->loop, UV_RUN_DEFAULT);
  uv_loop_close(&running->loop);
  return error;
}

static void print_check(const struct running *running, const struct buf *listing) {
  if (buf_len(listing) > 0) fwrite(listing->data, 1, listing->end, stdout);
  printf("%zu scripts, %zu routes\n", running->script_count, running->start.route_count);
}

static int serve(struct arguments *args) {
  char *error = NULL;
  server_raise_open_files();
  if (!watchdog_start(args->config.handler_time_ms))
    return fail(mem_format("cannot start the watchdog, no thread: %s", error_text(errno)));
  if (!args->checks && !output_start()) {
    watchdog_stop();
    return fail(mem_format("cannot start a thread for what scripts print: %s", error_text(errno)));
  }
  struct bundle *bundle = bundle_load(args->dir, args->config.lua_path, &error);
  if (bundle == NULL) return watchdog_stop(), fail(error);
  struct buf listing = {0};
  struct running running = {
      .start = {.dir = args->dir, .bundle = bundle, .modules = script_modules},
      .script_count = bundle_script_count(bundle),
  };
  struct app app = script_app(&running.start);
  if (args->checks) {
    running.start.listing = &listing;
    config_clear_listen(&args->config);
    args->config.workers = 1;
  }
  error = server_init(&running.server, &args->config, &app);
  bundle_unref(bundle);
  if (running.start.error != NULL) {
    free(error);
    error = running.start.error;
  }
  if (error == NULL && args->checks)
    print_check(&running, &listing);
  else if (error == NULL)
    error = run(&running);
  server_free(&running.server);
  deadline_stop();
  watchdog_stop();
  buf_free(&listing);
  if (error != NULL) return fail(error);
  if (args->checks) return EXIT_SUCCESS;
  log_info("stopped");
  return EXIT_SUCCESS;
}

static void ignore(int number) { (void)number; }

// What programs that scripts start inherit from us should be what is usual. A handler that
// does nothing ends with exec, an ignored signal stays ignored; and whoever started us may
// have left signals blocked or children ignored.
static void set_up_signals(void) {
  sigset_t none;
  sigemptyset(&none);
  pthread_sigmask(SIG_SETMASK, &none, NULL);
  signal(SIGPIPE, ignore);
  signal(SIGCHLD, SIG_DFL);
}

// Descriptors 0 to 2 that are closed would become sockets, which get what is written for
// a terminal.
static void open_standard_files(void) {
  int fd;
  do fd = open("/dev/null", O_RDWR);
  while (fd >= 0 && fd <= STDERR_FILENO);
  if (fd >= 0) close(fd);
}

// What was printed for others to read must have got there.
static int check_output(int status) {
  if (fflush(stdout) == 0 || status != EXIT_SUCCESS) return status;
  return fail(mem_format("standard output: %s", error_text(errno)));
}

static int run_arguments(int argc, char **argv) {
  int status = run_command(argc, argv);
  if (status >= 0) return status;
  struct arguments args = {0};
  config_init(&args.config);
  status = read_arguments(&args, argc, argv);
  if (status >= 0 || args.checks) signals_end_command();
  if (status < 0) {
    char *error = complete_config(&args);
    status = error != NULL ? fail(error) : serve(&args);
  }
  config_free(&args.config);
  return status;
}

int main(int argc, char **argv) {
  signals_end_process();  // first: a HUP would end the process, and config.lua may take its time
  open_standard_files();
  set_up_signals();
  number_plain_thread();
  if (!log_out_start()) return fail(mem_format("cannot start a thread: %s", error_text(errno)));
  int status = check_output(run_arguments(argc, argv));
  output_flush();
  log_out_stop();
  return status;
}

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

#include "base/config.h"
#include "base/error.h"
#include "base/log.h"
#include "base/log_out.h"
#include "base/mem.h"
#include "base/signals.h"
#include "net/address.h"
#include "net/server.h"
#include "script/bind/modules.h"
#include "script/reload/bundle.h"
#include "script/reload/config_file.h"
#include "script/reload/control.h"
#include "script/reload/reload.h"
#include "script/serve/app.h"
#include "script/vm/watchdog.h"

enum { EXIT_USAGE = 2 };

extern char **environ;

struct arguments {
  struct config config;
  const char *dir;
  bool checks;
};

static const char usage[] =
    "usage: tidegate [flags] DIR      serve the scripts in DIR\n"
    "       tidegate --check DIR      load everything, print the routes and exit\n"
    "       tidegate reload DIR       have the running server of DIR reload its scripts\n";

// ---- command line --------------------------------------------------------

static void print_help(void) {
  printf(
      "%s\nflags (each is also a key of DIR/config.lua, with underscores, and a variable "
      "TIDEGATE_<KEY>):\n",
      usage);
  for (size_t i = 0; i < config_key_count; i++) {
    const struct config_key *key = &config_keys[i];
    char flag[64];
    snprintf(flag, sizeof flag, "--%s %s", key->name, key->argument != NULL ? key->argument : "");
    for (char *p = flag; *p != '\0' && *p != ' '; p++) {
      if (*p == '_') *p = '-';
    }
    printf("  %-26s %s", flag, key->help);
    if (key->preset != NULL && key->type != CONFIG_BOOL) printf(" (%s)", key->preset);
    printf("\n");
  }
  printf("  --check, --version, --help\n");
}

static int usage_error(const char *format, const char *what, const char *detail) {
  char *text = mem_format(format, what, detail);
  log_plain("tidegate: %s; see tidegate --help", text);
  free(text);
  return EXIT_USAGE;
}

// Handles argument *i; returns an exit status, or -1 to go on.
static int parse_flag(struct arguments *out, int argc, char **argv, int *i) {
  const char *flag = argv[*i];
  if (strcmp(flag, "--help") == 0) return print_help(), EXIT_SUCCESS;
  if (strcmp(flag, "--version") == 0)
    return printf("tidegate %s\n", TIDEGATE_VERSION), EXIT_SUCCESS;
  if (strcmp(flag, "--check") == 0) return out->checks = true, -1;
  const char *equals = strchr(flag, '=');
  size_t len = equals != NULL ? (size_t)(equals - flag) : strlen(flag);
  const struct config_key *key =
      len > 2 && memchr(flag + 2, '_', len - 2) == NULL && strncmp(flag, "--", 2) == 0
          ? config_key_find(flag + 2, len - 2)
          : NULL;
  if (key == NULL) return usage_error("unknown flag %s%s", flag, "");
  const char *value = equals != NULL ? equals + 1 : NULL;
  if (value == NULL && key->type == CONFIG_BOOL) value = "true";
  if (value == NULL) {
    if (*i + 1 >= argc) return usage_error("%s needs a value%s", flag, "");
    value = argv[++*i];
  }
  char *error = config_set(&out->config, key, CONFIG_FLAG, value);
  if (error == NULL) return -1;
  int status = usage_error("%s: %s", flag, error);
  free(error);
  return status;
}

static int parse_arguments(struct arguments *out, int argc, char **argv) {
  for (int i = 1; i < argc; i++) {
    if (argv[i][0] == '-') {
      int status = parse_flag(out, argc, argv, &i);
      if (status >= 0) return status;
    } else if (out->dir != NULL) {
      return usage_error("one DIR is served, not %s and %s", out->dir, argv[i]);
    } else {
      out->dir = argv[i];
    }
  }
  return out->dir != NULL ? -1 : usage_error("%s%s", "no DIR to serve", "");
}

static int fail(char *error) {
  log_plain("tidegate: %s", error);
  free(error);
  return EXIT_FAILURE;
}

// Configuration from file and environment, under the flags.
static char *complete_config(struct arguments *args) {
  struct stat info;
  if (stat(args->dir, &info) != 0) return mem_format("%s: %s", args->dir, error_text(errno));
  if (!S_ISDIR(info.st_mode)) return mem_format("%s: %s", args->dir, error_text(ENOTDIR));
  // The environment first: handler_time of it holds for the file. Layers decide who wins.
  char *error = config_apply_environment(&args->config, environ);
  if (error == NULL) error = config_file_apply(&args->config, args->dir);
  enum log_level level = LOG_INFO;
  log_level_parse(args->config.log_level, &level);
  log_set_level(level);
  for (size_t i = 0; error == NULL && i < args->config.listen_count; i++)
    error = address_check(args->config.listen[i]);
  return error;
}

// ---- running -------------------------------------------------------------

enum { SIGNALS = 4 };

struct running {
  struct script_start start;
  size_t script_count;
  struct server server;
  struct reload *reload;
  uv_loop_t loop;
  uv_signal_t signals[SIGNALS];
};

static void stop(struct running *running) {
  reload_stop(running->reload);
  server_stop(&running->server);
  for (size_t i = 0; i < SIGNALS; i++) uv_close((uv_handle_t *)&running->signals[i], NULL);
  signals_take();  // from here on a second signal ends the process at once
}

static void on_signal(uv_signal_t *handle, int number) {
  struct running *running = handle->data;
  if (number == SIGHUP) {
    reload_request(running->reload);
    return;
  }
  log_info("stopping within %g s", (double)running->server.config->grace_ms / 1000);
  stop(running);
}

static void tell_ready(struct running *running) {
  log_info("ready: generation 1, %zu scripts, %zu routes, %zu workers", running->script_count,
           running->start.route_count, running->server.worker_count);
  server_log_addresses(&running->server);
}

// The main thread's loop, with signals on it. False, with errno, when there is no descriptor.
static bool open_loop(struct running *running) {
  static const int numbers[SIGNALS] = {SIGTERM, SIGINT, SIGQUIT, SIGHUP};
  int failure = uv_loop_init(&running->loop);
  for (size_t i = 0; failure == 0 && i < SIGNALS; i++) {
    failure = uv_signal_init(&running->loop, &running->signals[i]);
    running->signals[i].data = running;
    if (failure == 0) failure = uv_signal_start(&running->signals[i], on_signal, numbers[i]);
  }
  errno = -failure;
  return failure == 0;
}

static char *run(struct running *running) {
  if (!open_loop(running))
    return mem_format("cannot start the main event loop: %s", error_text(errno));
  // Watching begins first: who sees us listen may save a script at once.
  running->reload = reload_start(&running->loop, &running->server, running->start.dir);
  if (signals_saw_hup()) reload_request(running->reload);
  char *error = server_start(&running->server);
  if (error == NULL)
    tell_ready(running);
  else
    stop(running);
  uv_run(&running->loop, UV_RUN_DEFAULT);
  server_join(&running->server);
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
  signals_take();
  watchdog_start(args->config.handler_time_ms);
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
  watchdog_stop();
  buf_free(&listing);
  if (error != NULL) return fail(error);
  if (!args->checks) log_info("stopped");
  return EXIT_SUCCESS;
}

static void ignore(int number) { (void)number; }

// What programs that scripts start inherit from us should be what is usual. A handler that
// does nothing ends with exec, an ignored signal stays ignored; and whoever started us may
// have left signals blocked or children ignored.
static void set_up_signals(void) {
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
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
  struct arguments args = {0};
  config_init(&args.config);
  int status = parse_arguments(&args, argc, argv);
  if (status < 0) {
    char *error = complete_config(&args);
    status = error != NULL ? fail(error) : serve(&args);
  }
  config_free(&args.config);
  return status;
}

int main(int argc, char **argv) {
  open_standard_files();
  set_up_signals();
  if (argc == 3 && strcmp(argv[1], "reload") == 0) return control_reload(argv[2]);
  if (!log_out_start()) return fail(mem_format("cannot start a thread: %s", error_text(errno)));
  int status = check_output(run_arguments(argc, argv));
  log_out_stop();
  return status;
}

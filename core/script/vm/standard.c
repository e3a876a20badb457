// The standard library in a server: see standard.h.
#include "script/vm/standard.h"

#include <errno.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <lualib.h>
#include <pthread.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "script/vm/output.h"

extern char **environ;

static int no_exit(lua_State *L) {
  return luaL_error(L, "os.exit would stop the server; raise an error instead");
}

// Of wait(2); -1, with errno, when the shell could not be started.
static int run_shell(const char *command) {
  char *const words[] = {(char[]){"sh"}, (char[]){"-c"}, (char *)(uintptr_t)command, NULL};
  pid_t child;
  errno = posix_spawn(&child, "/bin/sh", NULL, NULL, words, environ);
  if (errno != 0) return -1;
  int status = -1;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
  errno = 0;
  return status;
}

// os.execute([command]), as Lua's own.
static int execute(lua_State *L) {
  const char *command = luaL_optstring(L, 1, NULL);
  if (command != NULL) return luaL_execresult(L, run_shell(command));
  lua_pushboolean(L, access("/bin/sh", X_OK) == 0);
  return 1;
}

static void replace(lua_State *L, const char *name, lua_CFunction function) {
  lua_getglobal(L, LUA_OSLIBNAME);
  lua_pushcfunction(L, function);
  lua_setfield(L, -2, name);
  lua_pop(L, 1);
}

// ---- files -----------------------------------------------------------------

static void *wait_for_program(void *file) {
  pclose(file);
  return NULL;
}

// False when there is no thread.
static bool close_beside(FILE *file) {
  pthread_t thread;
  if (pthread_create(&thread, NULL, wait_for_program, file) != 0) return false;
  pthread_detach(thread);
  return true;
}

// __gc of a file. Upvalues: Lua's own, how the files of io.open are closed. Of a program, Lua's own
// waits until it ends: for who knows how long, in the middle of anything.
static int collect_file(lua_State *L) {
  luaL_Stream *stream = luaL_checkudata(L, 1, LUA_FILEHANDLE);
  bool is_open = stream->closef != NULL && stream->f != NULL;
  bool is_program = is_open && stream->closef != lua_tocfunction(L, lua_upvalueindex(2)) &&
                    fileno(stream->f) > STDERR_FILENO;
  if (is_program && close_beside(stream->f)) {
    stream->closef = NULL;
    return 0;
  }
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  lua_call(L, 1, 0);
  return 0;
}

static void set_collector(lua_State *L, lua_CFunction close_file) {
  luaL_getmetatable(L, LUA_FILEHANDLE);
  lua_getfield(L, -1, "__gc");
  lua_pushcfunction(L, close_file);
  lua_pushcclosure(L, collect_file, 2);
  lua_setfield(L, -2, "__gc");
  lua_pop(L, 1);
}

// Reading from a terminal, or from a pipe that nobody writes to, would hold up the thread for
// good. The file is for no program that scripts start.
static void take_files(lua_State *L) {
  static const char code[] =
      "local file = io.open '/dev/null' if file then io.stdin = file io.input(file) end return "
      "file";
  if (luaL_loadstring(L, code) != LUA_OK) lua_error(L);
  lua_call(L, 0, 1);
  luaL_Stream *stream = luaL_testudata(L, -1, LUA_FILEHANDLE);
  if (stream != NULL) {
    fcntl(fileno(stream->f), F_SETFD, FD_CLOEXEC);
    set_collector(L, stream->closef);
  }
  lua_pop(L, 1);
}

void standard_replace(lua_State *L) {
  replace(L, "exit", no_exit);
  replace(L, "execute", execute);
  take_files(L);
  output_replace(L);
}

// The standard library in a server: see standard.h.
#include "script/vm/standard.h"

#include <errno.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <lualib.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

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

// Reading from a terminal, or from a pipe that nobody writes to, would hold up the thread for
// good. The file is for no program that scripts start.
static void empty_input(lua_State *L) {
  static const char code[] =
      "local file = io.open '/dev/null' if file then io.stdin = file io.input(file) end return "
      "file";
  if (luaL_loadstring(L, code) != LUA_OK) lua_error(L);
  lua_call(L, 0, 1);
  luaL_Stream *stream = luaL_testudata(L, -1, LUA_FILEHANDLE);
  if (stream != NULL) fcntl(fileno(stream->f), F_SETFD, FD_CLOEXEC);
  lua_pop(L, 1);
}

void standard_replace(lua_State *L) {
  replace(L, "exit", no_exit);
  replace(L, "execute", execute);
  empty_input(L);
}

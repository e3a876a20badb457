// Reading and compiling the script directory: see bundle.h.
#include "script/reload/bundle.h"

#include <dirent.h>
#include <errno.h>
#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/mem.h"
#include "script/reload/embedded.h"

enum { DEPTH_MAX = 16, FILE_MAX = 16 * 1024 * 1024 };

struct loader {
  struct bundle *bundle;
  lua_State *L;
  char *error;
};

// ---- compiling -----------------------------------------------------------

static int append_code(lua_State *L, const void *data, size_t size, void *out) {
  (void)L;
  buf_append(out, data, size);
  return 0;
}

static bool compile(struct loader *loader, struct chunk *chunk, const char *source, size_t len) {
  lua_State *L = loader->L;
  char *name = mem_format("@%s", chunk->path);
  // Mode "t": a precompiled file would bypass the checks of the compiler.
  int status = luaL_loadbufferx(L, source, len, name, "t");
  free(name);
  if (status == LUA_OK)
    lua_dump(L, append_code, &chunk->code, 0);
  else if (strncmp(lua_tostring(L, -1), chunk->path, strlen(chunk->path)) == 0) {
    loader->error = mem_strdup(lua_tostring(L, -1));
  } else {
    loader->error = mem_format("%s: %s", chunk->path, lua_tostring(L, -1));  // of precompiled code
  }
  lua_settop(L, 0);
  return status == LUA_OK;
}

static struct chunk *add_chunk(struct loader *loader, char *module, char *path, bool is_script) {
  struct bundle *bundle = loader->bundle;
  bundle->chunks =
      mem_grow(bundle->chunks, &bundle->cap, bundle->count + 1, 32, sizeof *bundle->chunks);
  struct chunk *chunk = &bundle->chunks[bundle->count++];
  *chunk = (struct chunk){.module = module, .path = path, .is_script = is_script};
  return chunk;
}

// ---- reading -------------------------------------------------------------

static bool read_file(const char *path, struct buf *out, char **error) {
  FILE *file = fopen(path, "rb");
  size_t got = 0;
  if (file != NULL) {
    do {
      got = fread(buf_reserve(out, 65536), 1, 65536, file);
      buf_grew(out, got);
    } while (got > 0 && buf_len(out) <= FILE_MAX);
  }
  if (file == NULL || ferror(file) || buf_len(out) > FILE_MAX) {
    *error = mem_format("cannot read %s: %s", path,
                        buf_len(out) > FILE_MAX ? "too large" : error_text(errno));
  }
  if (file != NULL) fclose(file);
  return *error == NULL;
}

// "demo/chat.lua" -> "demo.chat", "demo/init.lua" -> "demo".
static char *module_name(const char *relative) {
  size_t len = strlen(relative) - 4;
  if (len > 5 && strncmp(relative + len - 5, "/init", 5) == 0) len -= 5;
  char *name = mem_strndup(relative, len);
  for (char *p = name; *p != '\0'; p++) {
    if (*p == '/') *p = '.';
  }
  return name;
}

static bool load_file(struct loader *loader, const char *path, char *module, bool is_script) {
  struct buf source = {0};
  bool ok = read_file(path, &source, &loader->error);
  if (ok) {
    // A first line that starts with '#' is the shell's.
    const char *text = source.data == NULL ? "" : source.data;
    size_t skip = 0;
    if (source.end > 0 && text[0] == '#') {
      while (skip < source.end && text[skip] != '\n') skip++;
    }
    ok = compile(loader, add_chunk(loader, module, mem_strdup(path), is_script), text + skip,
                 source.end - skip);
  } else {
    free(module);
  }
  buf_free(&source);
  return ok;
}

static bool is_lua_file(const char *name) {
  size_t len = strlen(name);
  return len > 4 && strcmp(name + len - 4, ".lua") == 0;
}

static int not_hidden(const struct dirent *entry) { return entry->d_name[0] != '.'; }

static int by_name(const struct dirent **a, const struct dirent **b) {
  return strcmp((*a)->d_name, (*b)->d_name);
}

// Walks one folder in name order. `prefix` is its path below the root, "" or
// "demo/".
static bool load_folder(struct loader *loader, const char *root, const char *prefix, bool is_script,
                        int depth) {
  if (depth > DEPTH_MAX) {
    loader->error = mem_format("%s/%s: folders are nested too deeply", root, prefix);
    return false;
  }
  char *folder = mem_format("%s%s%s", root, *prefix != '\0' ? "/" : "", prefix);
  size_t folder_len = strlen(folder);
  if (folder_len > 1 && folder[folder_len - 1] == '/') folder[folder_len - 1] = '\0';
  struct dirent **entries;
  int count = scandir(folder, &entries, not_hidden, by_name);
  if (count < 0) loader->error = mem_format("cannot read %s: %s", folder, error_text(errno));
  bool ok = count >= 0;
  for (int i = 0; i < count; i++) {
    const char *name = entries[i]->d_name;
    char *path = mem_format("%s/%s", folder, name);
    char *relative = mem_format("%s%s", prefix, name);
    struct stat info;
    bool runs = is_script && name[0] != '_';
    if (!ok || lstat(path, &info) != 0) {
      // A file that vanished between the two calls is not there.
    } else if (stat(path, &info) != 0 && is_lua_file(name)) {
      loader->error = mem_format("cannot read %s: %s", path, error_text(errno));
      ok = false;
    } else if (S_ISDIR(info.st_mode)) {
      char *deeper = mem_format("%s/", relative);
      ok = load_folder(loader, root, deeper, runs, depth + 1);
      free(deeper);
    } else if (is_lua_file(name) && !(is_script && depth == 0 && strcmp(name, "config.lua") == 0)) {
      ok = load_file(loader, path, module_name(relative), runs);
    }
    free(path);
    free(relative);
    free(entries[i]);
  }
  if (count >= 0) free(entries);
  free(folder);
  return ok;
}

static bool load_embedded(struct loader *loader) {
  for (size_t i = 0; i < embedded_lua_count; i++) {
    const struct embedded_file *file = &embedded_lua[i];
    char *path = mem_strdup(file->name);
    for (char *p = path; *p != '\0'; p++) {
      if (*p == '.') *p = '/';
    }
    char *shown = mem_format("%s.lua", path);
    free(path);
    struct chunk *chunk = add_chunk(loader, mem_strdup(file->name), shown, false);
    if (!compile(loader, chunk, (const char *)file->data, file->size)) return false;
  }
  return true;
}

// ---- bundle --------------------------------------------------------------

static bool index_modules(struct loader *loader) {
  struct bundle *bundle = loader->bundle;
  for (size_t i = 0; i < bundle->count; i++) {
    struct chunk *chunk = &bundle->chunks[i];
    struct slice name = slice_str(chunk->module);
    const struct chunk *other = map_get(&bundle->by_module, name);
    if (other != NULL) {
      loader->error =
          mem_format("%s: module \"%s\" is also %s", chunk->path, chunk->module, other->path);
      return false;
    }
    map_set(&bundle->by_module, name, chunk);
  }
  return true;
}

struct bundle *bundle_load(const char *dir, const char *lua_path, char **error) {
  struct loader loader = {mem_zalloc(sizeof(struct bundle)), luaL_newstate(), NULL};
  atomic_init(&loader.bundle->refs, 1);
  map_init(&loader.bundle->by_module);
  bool ok = load_folder(&loader, dir, "", true, 0);
  if (ok)
    ok = lua_path != NULL ? load_folder(&loader, lua_path, "", false, 1) : load_embedded(&loader);
  if (ok) ok = index_modules(&loader);
  lua_close(loader.L);
  if (!ok) {
    *error = loader.error;
    bundle_unref(loader.bundle);
    return NULL;
  }
  return loader.bundle;
}

struct bundle *bundle_ref(struct bundle *bundle) {
  atomic_fetch_add_explicit(&bundle->refs, 1, memory_order_relaxed);
  return bundle;
}

void bundle_unref(struct bundle *bundle) {
  if (bundle == NULL || atomic_fetch_sub_explicit(&bundle->refs, 1, memory_order_acq_rel) != 1)
    return;
  for (size_t i = 0; i < bundle->count; i++) {
    free(bundle->chunks[i].module);
    free(bundle->chunks[i].path);
    buf_free(&bundle->chunks[i].code);
  }
  free(bundle->chunks);
  map_free(&bundle->by_module);
  free(bundle);
}

const struct chunk *bundle_find(const struct bundle *bundle, const char *module) {
  return map_get(&bundle->by_module, slice_str(module));
}

size_t bundle_script_count(const struct bundle *bundle) {
  size_t count = 0;
  for (size_t i = 0; i < bundle->count; i++) count += bundle->chunks[i].is_script;
  return count;
}

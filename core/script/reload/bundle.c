// Reading and compiling the script directory: see bundle.h.
#include "script/reload/bundle.h"

#include <errno.h>
#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "script/reload/embedded.h"
#include "script/reload/source.h"
#include "script/reload/types_file.h"

struct loader {
  struct bundle *bundle;
  lua_State *L;
  char *error;
  int failure;  // the errno of that, or 0
};

// ---- compiling -----------------------------------------------------------

static int append_code(lua_State *L, const void *data, size_t size, void *out) {
  (void)L;
  buf_append(out, data, size);
  return 0;
}

// What Lua calls the chunk. '=' marks the framework (vm/place); Lua cuts such a name at its end,
// and one behind '@' at its start, where a long path may rather be cut.
static char *name_chunk(const struct chunk *chunk) {
  enum { KEPT = LUA_IDSIZE - sizeof "..." };
  size_t len = strlen(chunk->path);
  if (!chunk->is_framework) return mem_format("@%s", chunk->path);
  if (len < LUA_IDSIZE) return mem_format("=%s", chunk->path);
  return mem_format("=...%s", chunk->path + len - KEPT);
}

static bool compile(struct loader *loader, struct chunk *chunk, const char *source, size_t len) {
  lua_State *L = loader->L;
  char *name = name_chunk(chunk);
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

static struct chunk *add_chunk(struct loader *loader, char *module, char *path, bool is_script,
                               bool is_framework) {
  struct bundle *bundle = loader->bundle;
  bundle->chunks =
      mem_grow(bundle->chunks, &bundle->cap, bundle->count + 1, 32, sizeof *bundle->chunks);
  struct chunk *chunk = &bundle->chunks[bundle->count++];
  *chunk = (struct chunk){
      .module = module, .path = path, .is_script = is_script, .is_framework = is_framework};
  return chunk;
}

// ---- reading -------------------------------------------------------------

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

static bool load_file(struct loader *loader, const struct scan_file *file) {
  struct buf source = {0};
  struct slice text;
  const char *failure = source_read(file->path, &source, &text);
  bool ok = failure == NULL;
  if (!ok) {
    loader->failure = errno;
    loader->error = mem_format("cannot read %s: %s", file->shown, failure);
  } else if (!types_file_is_meta(text)) {
    struct chunk *chunk = add_chunk(loader, module_name(file->relative), mem_strdup(file->shown),
                                    file->runs, file->is_library);
    ok = compile(loader, chunk, text.ptr, text.len);
  }
  buf_free(&source);
  return ok;
}

static bool load_folders(struct loader *loader, const char *dir, const char *lua_path) {
  struct scan *scan = scan_new(dir, lua_path, NULL);
  loader->bundle->scan = scan;
  bool ok = scan->error == NULL;
  if (!ok) {
    loader->failure = scan->failure;
    loader->error = mem_strdup(scan->error);
  }
  for (size_t i = 0; ok && i < scan->note_count; i++) log_warn("%s", scan->notes[i]);
  for (size_t i = 0; ok && i < scan->file_count; i++) {
    const struct scan_file *file = &scan->files[i];
    bool is_config = !file->is_library && strcmp(file->relative, "config.lua") == 0;
    if (file->is_script && !is_config) ok = load_file(loader, file);
  }
  return ok;
}

static bool load_embedded(struct loader *loader) {
  for (size_t i = 0; i < embedded_lua_count; i++) {
    const struct embedded_file *file = &embedded_lua[i];
    if (types_file_is_meta(slice_of((const char *)file->data, file->size))) continue;
    char *path = mem_strdup(file->name);
    for (char *p = path; *p != '\0'; p++) {
      if (*p == '.') *p = '/';
    }
    char *shown = mem_format("%s.lua", path);
    free(path);
    struct chunk *chunk = add_chunk(loader, mem_strdup(file->name), shown, false, true);
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
  struct loader loader = {mem_zalloc(sizeof(struct bundle)), luaL_newstate(), NULL, 0};
  atomic_init(&loader.bundle->refs, 1);
  map_init(&loader.bundle->by_module);
  bool ok = load_folders(&loader, dir, lua_path);
  if (ok && lua_path == NULL) ok = load_embedded(&loader);
  if (ok) ok = index_modules(&loader);
  lua_close(loader.L);
  if (!ok) {
    *error = loader.error;
    bundle_unref(loader.bundle);
    errno = loader.failure;
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
  scan_free(bundle->scan);
  map_free(&bundle->by_module);
  free(bundle);
}

const struct chunk *bundle_find(const struct bundle *bundle, const char *module) {
  return map_get(&bundle->by_module, slice_str(module));
}

struct scan *bundle_take_scan(struct bundle *bundle) {
  struct scan *scan = bundle->scan;
  bundle->scan = NULL;
  return scan;
}

size_t bundle_script_count(const struct bundle *bundle) {
  size_t count = 0;
  for (size_t i = 0; i < bundle->count; i++) count += bundle->chunks[i].is_script;
  return count;
}

// Options: the named values that functions take in a table. An option is one row, which
// says how it is called, what it may be, the C field it is read into, its default, and
// what the reference and the types for editors say. Readers, checks in Lua and documents
// all come from the row.
#ifndef TIDEGATE_SCRIPT_VM_OPTIONS_H
#define TIDEGATE_SCRIPT_VM_OPTIONS_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "script/vm/vm.h"

// What a value may be, and the field it is read into.
enum option_type {
  OPTION_TEXT,      // struct slice; a string or number
  OPTION_NUMBER,    // integer of 4 or 8 bytes, rounded up
  OPTION_WHOLE,     // likewise; a whole number, and no float where there is no `most`
  OPTION_SECONDS,   // as OPTION_NUMBER
  OPTION_BYTES,     // as OPTION_NUMBER; a whole number, a float among them
  OPTION_BOOLEAN,   // bool
  OPTION_TRUTH,     // bool; any value that Lua takes for true or false
  OPTION_CHOICE,    // bool, or enum; one of the names of `choices`
  OPTION_FUNCTION,  // int: a reference for vm_unref; LUA_NOREF when it is absent
  OPTION_NAMES,     // a list of tokens (RFC 9110), `least` of them at least; for Lua
  OPTION_SWITCH,    // true, false, or a table of the options of `inner`; needs `read`
  OPTION_ANY,       // what `read` and `expected` say
};

struct option_choice {
  const char *name;
  int value;
};

struct option_table;

struct option {
  const char *name;
  enum option_type type;
  uint16_t offset, bytes;  // of the field: OPTION_FIELD. bytes 0: only Lua reads it
  // Of a number, in the unit the script writes. most 0: no bound, what the field cannot hold
  // becomes its largest value. `most` of a text: its bytes.
  double least, most;
  double scale;                         // the field is in units of 1/scale; 0: 1
  double otherwise;                     // the value when the option is absent
  const char *setting;                  // or the key of the configuration with that value
  const struct option_choice *choices;  // ends with a row without a name
  const struct option_table *inner;
  // Reads what the type cannot: the value is on top of the stack, where it stays, as does
  // what is pushed upon it. `what` is the function for messages.
  void (*read)(lua_State *L, const char *what, void *out);

  // For the checks in Lua, the reference and the types; NULL: as the type has it.
  const char *expected;  // "option must be <expected>"
  const char *fallback;  // the default in words
  const char *only;      // the only kind of session that has it
  const char *luals;     // the type for editors
  const char *help;      // Markdown without a full stop at its end
};

#define OPTION_FIELD(type, field) \
  .offset = offsetof(type, field), .bytes = sizeof(((type *)0)->field)

enum { OPTIONS_MAX = 32 };  // in one table

struct option_table {
  const char *name;  // by which Lua and the reference call it
  const char *of;    // the option whose value it is: messages about unknown names say so
  const struct option *all;
  size_t count;
  bool has_defaults;  // a field is not 0 when its option is absent; see options_push_rows
};

// The parts of a table that follow its name.
#define OPTION_ROWS(rows) .all = (rows), .count = OPTION_COUNT(rows)
// An array of a negative size does not compile: a set of rows has 32 bits.
#define OPTION_COUNT(rows)         \
  (sizeof(rows) / sizeof *(rows) + \
   0 * sizeof(char[sizeof(rows) / sizeof *(rows) <= OPTIONS_MAX ? 1 : -1]))

// Sets the fields of absent options. Fields whose default is 0 are not touched.
void options_set_defaults(lua_State *L, const struct option_table *table, void *out);

// Reads a table of options into a struct that has the defaults.
void options_read_table(lua_State *L, int index, const struct option_table *table, const char *what,
                        void *out);

// Reads the options at `index` (a table, nil or none) into a zeroed struct; the texts live as long
// as the values that are left on the stack. The table is read raw: what its metatable adds is no
// option, so no code of the script runs while a binding holds what it has checked. Raises for what
// is no option or no good value, naming `what`; `out` is complete enough then for options_release.
//   "<what>: unknown option \"lmit\": did you mean \"limit\"? (known: lag, limit)"
//   "<what>: options are name = value (got [1])"
//   "<what>: retry must be a number from 0 to 5 (got -1)"
static inline void options_read(lua_State *L, int index, const struct option_table *table,
                                const char *what, void *out) {
  if (table->has_defaults) options_set_defaults(L, table, out);
  if (!lua_isnoneornil(L, index)) options_read_table(L, index, table, what, out);
}

// Releases the references of functions.
void options_release(struct vm *vm, const struct option_table *table, const void *out);

// Pushes the rows as an array of tables for Lua: name, type, least, most, choices (array),
// inner (array), expected, only; and the words for documents: default, setting, fallback,
// luals, help, inner_name. Raises for a default in a table that says it has none, so that
// the tests of the reference find it.
void options_push_rows(lua_State *L, const struct option_table *table, bool has_words);

#endif

/* thinveil: masked snapshots and thin clones of PostgreSQL data directories.
 *
 * Made from ffi/src by `THINVEIL_BLESS=1 cargo test -p thinveil-ffi --test header`. Manual: ffi/README.md.
 *
 * Every call returns a tv_status and writes its outputs if that is TV_OK, and only then. A handle has
 * one owner, who closes it, and may be used from any thread. Texts that are handed out are freed with
 * tv_string_free.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0 */

#ifndef THINVEIL_H
#define THINVEIL_H

#include <stddef.h>
#include <stdint.h>

/* The Arrow C data interface, as its specification has it. */
#ifndef ARROW_C_DATA_INTERFACE
#define ARROW_C_DATA_INTERFACE

struct ArrowSchema {
  const char *format;
  const char *name;
  const char *metadata;
  int64_t flags;
  int64_t n_children;
  struct ArrowSchema **children;
  struct ArrowSchema *dictionary;
  void (*release)(struct ArrowSchema *);
  void *private_data;
};

struct ArrowArray {
  int64_t length;
  int64_t null_count;
  int64_t offset;
  int64_t n_buffers;
  int64_t n_children;
  const void **buffers;
  struct ArrowArray **children;
  struct ArrowArray *dictionary;
  void (*release)(struct ArrowArray *);
  void *private_data;
};

#endif

#ifndef ARROW_C_STREAM_INTERFACE
#define ARROW_C_STREAM_INTERFACE

struct ArrowArrayStream {
  int (*get_schema)(struct ArrowArrayStream *, struct ArrowSchema *out);
  int (*get_next)(struct ArrowArrayStream *, struct ArrowArray *out);
  const char *(*get_last_error)(struct ArrowArrayStream *);
  void (*release)(struct ArrowArrayStream *);
  void *private_data;
};

#endif

/**
 * The version of the ABI that the header describes.
 */
#define TV_ABI_VERSION 1

/**
 * A stage has begun.
 */
#define TV_PROGRESS_BEGIN 0

/**
 * `done` of `total` bytes or steps; `total` may grow.
 */
#define TV_PROGRESS_UPDATE 1

/**
 * The stage has ended well, after `seconds`.
 */
#define TV_PROGRESS_END 2

/**
 * What stops work from another thread.
 */
typedef struct tv_cancel tv_cancel;

/**
 * A key, zeroed in memory when it is closed.
 */
typedef struct tv_key tv_key;

/**
 * A compiled mask, or a host's own.
 */
typedef struct tv_mask tv_mask;

/**
 * An open pool.
 */
typedef struct tv_pool tv_pool;

/**
 * A rule set.
 */
typedef struct tv_rules tv_rules;

/**
 * The masks of a table's columns.
 */
typedef struct tv_table tv_table;

/**
 * What every call returns: `TV_OK`, or why nothing was done.
 */
typedef int32_t tv_status;

/**
 * What a progress callback is told.
 */
typedef struct {
  /**
   * `TV_PROGRESS_BEGIN`, `_UPDATE` or `_END`.
   */
  int32_t event;
  /**
   * `stage`, `plan`, `rewrite`, `finish`, `audit` or `seal`. Valid during the call.
   */
  const char *stage;
  /**
   * Of an update.
   */
  uint64_t done;
  /**
   * Of an update.
   */
  uint64_t total;
  /**
   * Of an end.
   */
  double seconds;
} tv_progress;

/**
 * Watches a snapshot being made. Called from the library's threads, one call at a time; it should
 * return at once, and must not unwind or jump out. Anything but 0 cancels the work.
 */
typedef int (*tv_progress_fn)(void *context, const tv_progress *progress);

/**
 * How to make a snapshot. Zero it and set `size`: that is a good one (`TV_SNAPSHOT_OPTIONS_INIT`).
 */
typedef struct {
  /**
   * `sizeof(tv_snapshot_options)`.
   */
  size_t size;
  /**
   * The snapshot's name; its id if NULL.
   */
  const char *name;
  /**
   * Where PostgreSQL's programs are; found if NULL.
   */
  const char *pg_bin;
  /**
   * The operating system user that owns what `pg_basebackup` brings, if the caller is root;
   * `postgres` if NULL.
   */
  const char *os_user;
  /**
   * Threads; 0 for one per core.
   */
  size_t threads;
  /**
   * What stops the work from another thread; may be NULL.
   */
  const tv_cancel *cancel;
  /**
   * Watches the work; may be NULL.
   */
  tv_progress_fn progress;
  /**
   * Handed to `progress`, and used by nobody else.
   */
  void *progress_context;
} tv_snapshot_options;

/**
 * A clone to be made. Zero it and set `size`: that is a good one (`TV_CLONE_OPTIONS_INIT`).
 */
typedef struct {
  /**
   * `sizeof(tv_clone_options)`.
   */
  size_t size;
  /**
   * The clone's name; its id if NULL.
   */
  const char *name;
  /**
   * The first port to try; with both ports 0, 6000 to 6100.
   */
  uint16_t first_port;
  /**
   * The last port to try; `first_port` alone if 0.
   */
  uint16_t last_port;
  /**
   * The role to connect as, a superuser of the clone; `thinveil` if NULL.
   */
  const char *user;
  /**
   * Its password; drawn and returned once if NULL.
   */
  const char *password;
  /**
   * The database that the connection string names; the snapshot's first one if NULL.
   */
  const char *database;
  /**
   * Addresses to listen on besides 127.0.0.1, with commas between them; they need TLS.
   */
  const char *listen;
  /**
   * Certificate for TLS.
   */
  const char *tls_cert;
  /**
   * Its private key.
   */
  const char *tls_key;
  /**
   * Where PostgreSQL's programs are; found if NULL.
   */
  const char *pg_bin;
  /**
   * What stops the making from another thread; may be NULL.
   */
  const tv_cancel *cancel;
} tv_clone_options;

/**
 * Masks one value: reads `len` bytes at `value`, writes as many at `out`, and stores how many it
 * wrote in `written`, which has to be `len`. Returns 0, or anything else to fail the call that
 * masks. Must give equal outputs for equal values, may be called from several threads at once, and
 * must not unwind or jump out.
 */
typedef int (*tv_custom_fn)(void *context,
                            const uint8_t *value,
                            size_t len,
                            uint8_t *out,
                            size_t *written);

/**
 * Called once with `context` when the mask is closed and no call uses it any more.
 */
typedef void (*tv_release_fn)(void *context);

/**
 * Done; outputs are written.
 */
#define TV_OK 0

/**
 * An argument that must not be NULL is.
 */
#define TV_ERROR_NULL 100

/**
 * A text is not UTF-8.
 */
#define TV_ERROR_UTF8 101

/**
 * A handle was closed before, is of another type, or never was one.
 */
#define TV_ERROR_HANDLE 102

/**
 * An argument makes no sense; the message says what would.
 */
#define TV_ERROR_ARGUMENT 103

/**
 * Policy, plan or audit refused; every reason is listed.
 */
#define TV_ERROR_REFUSED 200

/**
 * Nothing has that name.
 */
#define TV_ERROR_NOT_FOUND 201

/**
 * Something else holds what is needed.
 */
#define TV_ERROR_BUSY 202

/**
 * The caller cancelled.
 */
#define TV_ERROR_CANCELLED 203

/**
 * Bytes that PostgreSQL would not have written.
 */
#define TV_ERROR_CORRUPT 300

/**
 * A page whose checksum does not match.
 */
#define TV_ERROR_CHECKSUM 301

/**
 * A stored form that masks can't rewrite.
 */
#define TV_ERROR_UNSUPPORTED 302

/**
 * A rewritten page differs outside of masked values: a defect of thinveil.
 */
#define TV_ERROR_LAYOUT 303

/**
 * Bytes that are no value of the mask's type, or a value that the mask can't take.
 */
#define TV_ERROR_VALUE 304

/**
 * A custom mask failed, or its output does not fit exactly.
 */
#define TV_ERROR_CUSTOM_MASK 305

/**
 * The operating system said no.
 */
#define TV_ERROR_IO 400

/**
 * A PostgreSQL server did not do what it was started for.
 */
#define TV_ERROR_SERVER 401

/**
 * A statement failed.
 */
#define TV_ERROR_SQL 402

/**
 * A defect of thinveil, stopped at the border.
 */
#define TV_ERROR_PANIC 900

/**
 * An error that this version of the ABI has no number for.
 */
#define TV_ERROR_OTHER 901

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * The version of the ABI that the library has: the header's `TV_ABI_VERSION`, or a later one that
 * only added to it. A library with another number in its name is another ABI.
 */
uint32_t tv_abi_version(void);

/**
 * thinveil's own version, such as `0.1.0`.
 */
const char *tv_version(void);

/**
 * How many handles are open, for tests of hosts: 0 once all are closed.
 */
size_t tv_open_handles(void);

/**
 * The status of this thread's last call that failed; `TV_OK` if none has.
 */
tv_status tv_last_error_code(void);

/**
 * Its message, for people. Never NULL; valid until the next call that fails on this thread.
 */
const char *tv_last_error_message(void);

/**
 * All of it as JSON (`error` in docs/json): code, message, place, and for `TV_ERROR_REFUSED` every
 * reason with its remedy. Never NULL; valid until the next call that fails on this thread.
 */
const char *tv_last_error_json(void);

/**
 * The relation or file that it is about, or NULL. Valid until the next call that fails on this
 * thread.
 */
const char *tv_last_error_relation(void);

/**
 * The column that it is about, or NULL. Valid until the next call that fails on this thread.
 */
const char *tv_last_error_column(void);

/**
 * The block of the relation's main fork that it is about, or -1.
 */
int64_t tv_last_error_block(void);

/**
 * The line pointer (1-based) that it is about, or -1.
 */
int32_t tv_last_error_line_pointer(void);

/**
 * Frees a text that this library gave out, and zeroes it. NULL is free already; one that was freed
 * before, or came from elsewhere, is `TV_ERROR_HANDLE`.
 *
 * # Safety
 * Nobody reads the text any more.
 */
tv_status tv_string_free(char *text);

/**
 * How many texts were given out and not freed, for tests of hosts.
 */
size_t tv_open_strings(void);

/**
 * A key from its 32 bytes. The library keeps a copy, zeroed by `tv_key_close`; zero your own.
 *
 * # Safety
 * `bytes` points to `len` bytes, `key` to room for a pointer.
 */
tv_status tv_key_from_bytes(const uint8_t *bytes, size_t len, tv_key **key);

/**
 * A key from the operating system's random source, for one snapshot: it can't be had again.
 *
 * # Safety
 * `key` points to room for a pointer.
 */
tv_status tv_key_generate(tv_key **key);

/**
 * What manifests call the key: 16 hexadecimal digits that tell keys apart and reveal nothing.
 * Free it with `tv_string_free`.
 *
 * # Safety
 * `id` points to room for a pointer.
 */
tv_status tv_key_id(const tv_key *key, char **id);

/**
 * Closes a key. It is zeroed when the last mask call that uses it returns.
 */
tv_status tv_key_close(tv_key *key);

/**
 * Makes a pool of an empty or missing directory. `driver` is `auto` (also NULL), `zfs`, `btrfs`,
 * `reflink`, `overlay` or `copy`.
 *
 * # Safety
 * Strings are strings, `pool` points to room for a pointer.
 */
tv_status tv_pool_init(const char *dir, const char *driver, tv_pool **pool);

/**
 * Opens a pool, and puts right what crashes left.
 *
 * # Safety
 * `dir` is a string, `pool` points to room for a pointer.
 */
tv_status tv_pool_open(const char *dir, tv_pool **pool);

/**
 * What is in the pool (`pool_status` in docs/json). Free it with `tv_string_free`.
 *
 * # Safety
 * `json` points to room for a pointer.
 */
tv_status tv_pool_status(const tv_pool *pool, char **json);

/**
 * Puts right what crashes left since the pool was opened, and says what it was (`recovery` in
 * docs/json). Free it with `tv_string_free`.
 *
 * # Safety
 * `json` points to room for a pointer.
 */
tv_status tv_pool_recover(const tv_pool *pool, char **json);

/**
 * Closes a pool. Its snapshots and clones stay, running clones go on running.
 */
tv_status tv_pool_close(tv_pool *pool);

/**
 * Something to stop work with.
 *
 * # Safety
 * `cancel` points to room for a pointer.
 */
tv_status tv_cancel_new(tv_cancel **cancel);

/**
 * Asks all work that was given this to stop, from any thread. The work undoes what it did, and its
 * call returns `TV_ERROR_CANCELLED`.
 */
tv_status tv_cancel_now(const tv_cancel *cancel);

/**
 * Closes it. Work that was given it goes on.
 */
tv_status tv_cancel_close(tv_cancel *cancel);

/**
 * Makes a masked snapshot of a source (a data directory or a connection string) and says what
 * came out (`snapshot` in docs/json). A failure, a refusal or a cancellation leaves no snapshot.
 * Free `json` with `tv_string_free`.
 *
 * # Safety
 * Strings are strings, `options` is NULL or as its `size` says, `json` points to room for a
 * pointer.
 */
tv_status tv_snapshot_create(const tv_pool *pool,
                             const char *source,
                             const tv_rules *rules,
                             const tv_key *key,
                             const tv_snapshot_options *options,
                             char **json);

/**
 * Makes a snapshot of what a clone (its id or name) holds now, and says what came out (`snapshot` in
 * docs/json). With the `key` that masked the clone's snapshot, every original is searched for; it
 * may be NULL. The clone goes on; a failure, a refusal or a cancellation leaves no snapshot. Free
 * `json` with `tv_string_free`.
 *
 * # Safety
 * As for `tv_snapshot_create`.
 */
tv_status tv_snapshot_of_clone(const tv_pool *pool,
                               const char *clone,
                               const tv_key *key,
                               const tv_snapshot_options *options,
                               char **json);

/**
 * Every snapshot, oldest first: an array of `snapshot`. Free it with `tv_string_free`.
 *
 * # Safety
 * `json` points to room for a pointer.
 */
tv_status tv_snapshot_list(const tv_pool *pool, char **json);

/**
 * The snapshot of an id or a name (`snapshot` in docs/json). Free it with `tv_string_free`.
 *
 * # Safety
 * `id` is a string, `json` points to room for a pointer.
 */
tv_status tv_snapshot_show(const tv_pool *pool, const char *id, char **json);

/**
 * What the leak audit of a snapshot searched for and found (`snapshot_audit` in docs/json). Free
 * it with `tv_string_free`.
 *
 * # Safety
 * `id` is a string, `json` points to room for a pointer.
 */
tv_status tv_snapshot_audit(const tv_pool *pool, const char *id, char **json);

/**
 * Removes a snapshot that no clone was made of: `TV_ERROR_BUSY` names its clones.
 *
 * # Safety
 * `id` is a string.
 */
tv_status tv_snapshot_destroy(const tv_pool *pool, const char *id);

/**
 * Reads a rule file's text (docs/rules.md). All its problems come in one `TV_ERROR_REFUSED`.
 *
 * # Safety
 * `toml` is a string, `rules` points to room for a pointer.
 */
tv_status tv_rules_parse(const char *toml, tv_rules **rules);

/**
 * Checks rules against a source (a data directory or a connection string) and changes nothing:
 * the source is staged in the pool, planned and thrown away. Every problem comes in one
 * `TV_ERROR_REFUSED`; `json` (`rules_check` in docs/json) says what would be masked.
 *
 * # Safety
 * Strings are strings, `options` is NULL or as its `size` says, `json` points to room for a
 * pointer.
 */
tv_status tv_rules_check(const tv_pool *pool,
                         const char *source,
                         const tv_rules *rules,
                         const tv_snapshot_options *options,
                         char **json);

/**
 * A rule file for a source, guessed from names, types and indexes; every line of it wants reading.
 * Free it with `tv_string_free`.
 *
 * # Safety
 * As for `tv_rules_check`.
 */
tv_status tv_rules_suggest(const tv_pool *pool,
                           const char *source,
                           const tv_snapshot_options *options,
                           char **toml);

/**
 * Closes a rule set.
 */
tv_status tv_rules_close(tv_rules *rules);

/**
 * Plans what is to be done to a source (a data directory or a connection string), which is staged in
 * the pool for as long as that takes: `plan`, a text in JSON, says it all to the calls below, on any
 * machine. It holds no key and no value. Free it with `tv_string_free`.
 *
 * # Safety
 * Strings are strings, `options` is NULL or as its `size` says, `plan` points to room for a
 * pointer.
 */
tv_status tv_plan_make(const tv_pool *pool,
                       const char *source,
                       const tv_rules *rules,
                       const tv_snapshot_options *options,
                       char **plan);

/**
 * The tasks that a plan comes to for the stopped data directory `raw`: `json` is a list of
 * `planned_segment` (docs/json), one for each file of each planned table. A plan whose masks look at
 * more than one file is `TV_ERROR_REFUSED`.
 *
 * # Safety
 * Strings are strings, `json` points to room for a pointer.
 */
tv_status tv_plan_segments(const char *plan,
                           const char *raw,
                           char **json);

/**
 * Masks one file of the raw data directory `raw` and writes it below `masked`, under the name that
 * it has in `raw`, when it is whole. What becomes of it depends on nothing but these arguments and
 * what is in `raw`, where nothing is written: a task that was broken off can be done again.
 * `json` is a `rewritten_segment` (docs/json); its `toast_map` is for `tv_toast_rewrite`.
 *
 * # Safety
 * Strings are strings, `json` points to room for a pointer.
 */
tv_status tv_segment_rewrite(const char *plan,
                             const tv_key *key,
                             const char *segment,
                             const char *raw,
                             const char *masked,
                             char **json);

/**
 * Masks what the table of `segment`, any of its files, has out of line. `toast_maps` is a list, in
 * JSON, of the `toast_map` of every one of its files. `json` is a `segment_report` (docs/json).
 *
 * # Safety
 * Strings are strings, `json` points to room for a pointer.
 */
tv_status tv_toast_rewrite(const char *plan,
                           const tv_key *key,
                           const char *segment,
                           const char *toast_maps,
                           const char *raw,
                           const char *masked,
                           char **json);

/**
 * Does what is left when all files are rewritten and lie, with all others of `raw`, in the data
 * directory `masked`: maps of tables, and values that rows take from the catalog.
 * `json` is a `segment_report` (docs/json).
 *
 * # Safety
 * Strings are strings, `json` points to room for a pointer.
 */
tv_status tv_segments_finish(const char *plan,
                             const tv_key *key,
                             const char *raw,
                             const char *masked,
                             char **json);

/**
 * Makes a clone of a snapshot (its id or name) and starts its server. `json` is a `clone` of
 * docs/json, with the password if one was drawn: shown this once, stored nowhere. Free it with
 * `tv_string_free`.
 *
 * # Safety
 * Strings are strings, `options` is NULL or as its `size` says, `json` points to room for a
 * pointer.
 */
tv_status tv_clone_create(const tv_pool *pool,
                          const char *snapshot,
                          const tv_clone_options *options,
                          char **json);

/**
 * Every clone: an array of `clone`. Free it with `tv_string_free`.
 *
 * # Safety
 * `json` points to room for a pointer.
 */
tv_status tv_clone_list(const tv_pool *pool, char **json);

/**
 * The clone of an id or a name (`clone` in docs/json). Free it with `tv_string_free`.
 *
 * # Safety
 * `id` is a string, `json` points to room for a pointer.
 */
tv_status tv_clone_show(const tv_pool *pool, const char *id, char **json);

/**
 * Starts a clone that was stopped; a running one is left alone. `json` as for `tv_clone_show`.
 *
 * # Safety
 * As for `tv_clone_show`.
 */
tv_status tv_clone_start(const tv_pool *pool, const char *id, char **json);

/**
 * Stops a running clone; its port stays its own. `json` as for `tv_clone_show`.
 *
 * # Safety
 * As for `tv_clone_show`.
 */
tv_status tv_clone_stop(const tv_pool *pool, const char *id, char **json);

/**
 * Takes a clone back to its snapshot. Name, port, user and password stay, unless `password` is not
 * NULL. `cancel` may be NULL. `json` as for `tv_clone_show`.
 *
 * # Safety
 * As for `tv_clone_show`; `password` is NULL or a string.
 */
tv_status tv_clone_reset(const tv_pool *pool,
                         const char *id,
                         const char *password,
                         const tv_cancel *cancel,
                         char **json);

/**
 * Takes a clone to another snapshot (its id or name) of the same major version, as
 * `tv_clone_reset` takes it back to its own: from then on it is a clone of that.
 *
 * # Safety
 * As for `tv_clone_reset`; `snapshot` is a string.
 */
tv_status tv_clone_reset_to(const tv_pool *pool,
                            const char *id,
                            const char *snapshot,
                            const char *password,
                            const tv_cancel *cancel,
                            char **json);

/**
 * Stops and removes a clone.
 *
 * # Safety
 * `id` is a string.
 */
tv_status tv_clone_destroy(const tv_pool *pool, const char *id);

/**
 * Compiles a mask from JSON, `mask_spec` in docs/json:
 * `{"mask": "email", "type": "text", "domain": "email", "options": {"unique": true}}`. All but
 * `mask` may be left out: `type` is `text` then, `domain` the mask's name, as in rule files.
 *
 * # Safety
 * `spec` is a string, `mask` points to room for a pointer.
 */
tv_status tv_mask_compile(const char *spec, const tv_key *key, tv_mask **mask);

/**
 * Masks one value: reads `len` bytes at `value`, writes as many at `out`, which may be `value`.
 * The bytes are those that PostgreSQL stores, little-endian, without a varlena header: a text's
 * characters, an `int4`'s 4 bytes, a `date`'s days since 2000-01-01.
 *
 * # Safety
 * `value` points to `len` bytes, `out` to room for `len` bytes.
 */
tv_status tv_mask_apply(const tv_mask *mask, const uint8_t *value, size_t len, uint8_t *out);

/**
 * Masks a column of values: value `i` is the bytes from `offsets[i]` to `offsets[i + 1]`, absent
 * where bit `i` of `validity` (least significant first; NULL: all are there) is 0. Writes `len`
 * bytes at `out`, which may be `bytes`: masked values at the same offsets, zeros where a value is
 * absent or no value lies. Many values at once cost half as much as one by one.
 *
 * # Safety
 * `bytes` points to `len` bytes, `offsets` to `count + 1` numbers, `validity` to `(count + 7) / 8`
 * bytes or is NULL, `out` to room for `len` bytes.
 */
tv_status tv_mask_apply_column(const tv_mask *mask,
                               const uint8_t *bytes,
                               size_t len,
                               const int64_t *offsets,
                               size_t count,
                               const uint8_t *validity,
                               uint8_t *out);

/**
 * Closes a mask.
 */
tv_status tv_mask_close(tv_mask *mask);

/**
 * A mask of the host's own on a type (`text`, `int4`, … as in `tv_mask_compile`), for the mask
 * engine. Every output is checked: as many bytes as the value, as many characters, and a valid
 * value of the type, or the call fails with `TV_ERROR_CUSTOM_MASK`. `release` may be NULL; if this
 * call fails it is not called.
 *
 * # Safety
 * `type_name` is a string, `function` and `release` keep what is said at their types, `mask`
 * points to room for a pointer.
 */
tv_status tv_mask_custom(const char *type_name,
                         tv_custom_fn function,
                         void *context,
                         tv_release_fn release,
                         tv_mask **mask);

/**
 * Masks an Arrow array. Its values' type has to be the mask's: utf8, large utf8 and utf8 view for
 * `text`; binary for `bytea`; int16, int32, int64, uint32 and uint64 for `int2`, `int4`, `int8`,
 * `oid` and `xid8`; float32, float64, bool; date32 and date64 for `date`, time and timestamp of any
 * unit for `time`, `timestamp` and `timestamptz`; decimal128 for `numeric`; 16 bytes of fixed size
 * for `uuid`; dictionaries and lists of these.
 *
 * Nulls, offsets and keys are shared with the input, values are copied once. Nulls stay; what lies
 * under them is zeroed. `array` is moved from as the interface has it, even if this fails later
 * than on a NULL or a handle; `schema` is read. `out_array` and `out_schema` have to be released.
 *
 * # Safety
 * `array` and `schema` keep to the Arrow C data interface; the others point to room for theirs.
 */
tv_status tv_mask_apply_arrow(const tv_mask *mask,
                              struct ArrowArray *array,
                              const struct ArrowSchema *schema,
                              struct ArrowArray *out_array,
                              struct ArrowSchema *out_schema);

/**
 * The masks of a table's columns, as a rule set has them under `[databases.DATABASE.tables."TABLE"]`
 * (NULL `database` and `table`: its only table's). Columns are found when a stream comes.
 *
 * # Safety
 * Strings are strings or NULL, `out` points to room for a pointer.
 */
tv_status tv_table_compile(const tv_rules *rules,
                           const char *database,
                           const char *table,
                           const tv_key *key,
                           tv_table **out);

/**
 * Replaces a column's mask, for a host's own mask or one compiled with `tv_mask_compile`. The table
 * keeps the mask: its handle may be closed.
 *
 * # Safety
 * `column` is a string.
 */
tv_status tv_table_set(const tv_table *table, const char *column, const tv_mask *mask);

/**
 * Masks a stream of record batches: `out` becomes a stream with the same schema, whose batches are
 * masked when they are asked for. Columns that no rule names refuse it unless the rules say
 * `unlisted = "keep"`; all problems come in one `TV_ERROR_REFUSED`. `stream` is moved from, even if this
 * fails later than on a NULL or a handle. An error in the middle of the stream is the stream's own.
 *
 * # Safety
 * `stream` keeps to the Arrow C stream interface, `out` points to room for a stream.
 */
tv_status tv_table_mask_stream(const tv_table *table,
                               struct ArrowArrayStream *stream,
                               struct ArrowArrayStream *out);

/**
 * Closes a table's masks. Streams that were made with them go on.
 */
tv_status tv_table_close(tv_table *table);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* THINVEIL_H */

/* Options that leave everything to thinveil: tv_snapshot_options options = TV_SNAPSHOT_OPTIONS_INIT; */
#define TV_SNAPSHOT_OPTIONS_INIT {sizeof(tv_snapshot_options), 0, 0, 0, 0, 0, 0, 0}
#define TV_CLONE_OPTIONS_INIT {sizeof(tv_clone_options), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}

/* An engine: it serves clones of a pool's snapshots on a line protocol.
 *
 *   engine POOL [FIRST_PORT LAST_PORT]
 *
 * A request is a line on standard input, its answer a line on standard output: `ok` and a JSON
 * record, or `error`, the number of the error and a JSON record.
 *
 *   snapshots             what clones can be made of
 *   clones                what there is
 *   create SNAPSHOT NAME  a clone; the answer has its password, which nobody will know again
 *   show NAME             one clone
 *   reset NAME            as it was when it was made
 *   destroy NAME          gone
 *
 * cc -o engine engine.c $(pkg-config --cflags --libs thinveil)
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <thinveil.h>

/* The longest request; names have 63 bytes at most. */
#define LINE 256

struct engine {
  tv_pool *pool;
  uint16_t first_port, last_port;
};

/* Every call returns a status. What went wrong is the thread's until its next call. */
static void answer(tv_status status, char *json) {
  if (status == TV_OK) {
    printf("ok %s\n", json != NULL ? json : "null");
    tv_string_free(json);
  } else {
    printf("error %d %s\n", (int)status, tv_last_error_json());
  }
}

static tv_status create(const struct engine *engine, const char *snapshot, const char *name,
                        char **json) {
  tv_clone_options options = TV_CLONE_OPTIONS_INIT;
  options.name = name;
  options.first_port = engine->first_port;
  options.last_port = engine->last_port;
  return tv_clone_create(engine->pool, snapshot, &options, json);
}

/* Answers one request: a verb and what it is about. */
static void serve(const struct engine *engine, char *line) {
  const char *blanks = " \t\r\n";
  const char *verb = strtok(line, blanks);
  const char *first = strtok(NULL, blanks), *second = strtok(NULL, blanks);
  /* Written on success alone. */
  char *json = NULL;
  tv_status status;

  if (verb == NULL) return;
  if (strcmp(verb, "snapshots") == 0) {
    status = tv_snapshot_list(engine->pool, &json);
  } else if (strcmp(verb, "clones") == 0) {
    status = tv_clone_list(engine->pool, &json);
  } else if (strcmp(verb, "create") == 0) {
    status = create(engine, first, second, &json);
  } else if (strcmp(verb, "show") == 0) {
    status = tv_clone_show(engine->pool, first, &json);
  } else if (strcmp(verb, "reset") == 0) {
    /* Without a password it keeps its own. */
    status = tv_clone_reset(engine->pool, first, NULL, NULL, &json);
  } else if (strcmp(verb, "destroy") == 0) {
    status = tv_clone_destroy(engine->pool, first);
  } else {
    printf("error %d \"no such request\"\n", TV_ERROR_ARGUMENT);
    return;
  }
  answer(status, json);
}

int main(int argc, char **argv) {
  if (argc != 2 && argc != 4) {
    fprintf(stderr, "usage: engine POOL [FIRST_PORT LAST_PORT]\n");
    return 2;
  }
  if (tv_abi_version() != TV_ABI_VERSION) {
    fprintf(stderr, "engine: made for another version of libthinveil\n");
    return 1;
  }
  struct engine engine = {NULL, 0, 0};
  if (argc == 4) {
    engine.first_port = (uint16_t)atoi(argv[2]);
    engine.last_port = (uint16_t)atoi(argv[3]);
  }
  /* Opening finishes or undoes what a crash has left. */
  if (tv_pool_open(argv[1], &engine.pool) != TV_OK) {
    fprintf(stderr, "engine: %s\n", tv_last_error_message());
    return 1;
  }
  /* Whoever asks reads the answer before the next request. */
  setvbuf(stdout, NULL, _IOLBF, 0);
  char line[LINE];
  while (fgets(line, sizeof line, stdin) != NULL) serve(&engine, line);
  /* Clones outlive whoever made them. */
  return tv_pool_close(engine.pool) == TV_OK ? 0 : 1;
}

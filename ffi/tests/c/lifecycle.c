/* Pool, snapshot and clones. Arguments: a directory for the pool, a data directory, first port. */
#include <pthread.h>

#include "check.h"

static const char RULES[] =
    "version = 1\n"
    "[databases.shop.tables.\"public.customers\"]\n"
    "id = \"keep\"\n"
    "email = \"email\"\n";

static int stages, cancel_at_rewrite;

static int watch(void *context, const tv_progress *progress) {
  CHECK(context == &stages);
  if (progress->event == TV_PROGRESS_END) stages++;
  return cancel_at_rewrite && strcmp(progress->stage, "rewrite") == 0;
}

static void *cancel_soon(void *cancel) {
  EXPECT(TV_OK, tv_cancel_now(cancel));
  return NULL;
}

/* The value of a text under a key of a JSON record; good enough for records without escapes. */
static char *member(const char *json, const char *name) {
  static char value[512];
  char key[64];
  snprintf(key, sizeof key, "\"%s\":\"", name);
  const char *at = strstr(json, key);
  CHECK(at != NULL);
  at += strlen(key);
  snprintf(value, sizeof value, "%.*s", (int)strcspn(at, "\""), at);
  return value;
}

int main(int argc, char **argv) {
  CHECK(argc == 4);
  const char *dir = argv[1], *source = argv[2];
  tv_pool *pool = NULL;
  tv_rules *rules = NULL, *none = NULL;
  tv_key *key = NULL;
  tv_cancel *cancel = NULL;
  char *json = NULL, id[512];

  EXPECT(TV_OK, tv_pool_init(dir, NULL, &pool));
  EXPECT(TV_OK, tv_pool_close(pool));
  EXPECT(TV_OK, tv_pool_open(dir, &pool));
  EXPECT(TV_OK, tv_pool_recover(pool, &json));
  EXPECT(TV_OK, tv_string_free(json));
  EXPECT(TV_OK, tv_rules_parse(RULES, &rules));
  EXPECT(TV_OK, tv_rules_parse("version = 1\n", &none));
  EXPECT(TV_OK, tv_key_generate(&key));

  EXPECT(TV_OK, tv_rules_suggest(pool, source, NULL, &json));
  CHECK(strstr(json, "public.customers") != NULL);
  EXPECT(TV_OK, tv_string_free(json));
  EXPECT(TV_OK, tv_rules_check(pool, source, rules, NULL, &json));
  CHECK(strstr(json, "\"tables_masked\":1") != NULL);
  EXPECT(TV_OK, tv_string_free(json));
  EXPECT(TV_ERROR_REFUSED, tv_rules_check(pool, source, none, NULL, &json));
  CHECK(strstr(tv_last_error_json(), "unlisted") != NULL);

  /* A plan, which may be sent anywhere, and what it comes to. */
  char *plan = NULL;
  EXPECT(TV_OK, tv_plan_make(pool, source, rules, NULL, &plan));
  EXPECT(TV_OK, tv_plan_segments(plan, source, &json));
  CHECK(strstr(json, "public.customers") != NULL && strstr(json, "base/") != NULL);
  EXPECT(TV_ERROR_ARGUMENT, tv_segment_rewrite(plan, key, json, source, dir, &json));
  EXPECT(TV_OK, tv_string_free(json));
  EXPECT(TV_ERROR_ARGUMENT, tv_plan_segments("{}}", source, &json));
  EXPECT(TV_ERROR_ARGUMENT, tv_toast_rewrite(plan, key, "{}", "[]", source, dir, &json));
  EXPECT(TV_OK, tv_string_free(plan));

  /* Cancelled by the callback, and from another thread: no snapshot. */
  tv_snapshot_options options = TV_SNAPSHOT_OPTIONS_INIT;
  options.name = "monday";
  options.progress = watch;
  options.progress_context = &stages;
  cancel_at_rewrite = 1;
  EXPECT(TV_ERROR_CANCELLED, tv_snapshot_create(pool, source, rules, key, &options, &json));
  cancel_at_rewrite = 0;
  EXPECT(TV_OK, tv_cancel_new(&cancel));
  options.cancel = cancel;
  pthread_t thread;
  CHECK(pthread_create(&thread, NULL, cancel_soon, cancel) == 0);
  EXPECT(TV_ERROR_CANCELLED, tv_snapshot_create(pool, source, rules, key, &options, &json));
  CHECK(pthread_join(thread, NULL) == 0);
  EXPECT(TV_OK, tv_cancel_close(cancel));
  options.cancel = NULL;
  EXPECT(TV_OK, tv_snapshot_list(pool, &json));
  CHECK(strcmp(json, "[]") == 0);
  EXPECT(TV_OK, tv_string_free(json));

  stages = 0;
  EXPECT(TV_OK, tv_snapshot_create(pool, source, rules, key, &options, &json));
  CHECK(stages == 6);
  snprintf(id, sizeof id, "%s", member(json, "id"));
  EXPECT(TV_OK, tv_string_free(json));
  EXPECT(TV_OK, tv_snapshot_show(pool, "monday", &json));
  CHECK(strcmp(member(json, "id"), id) == 0);
  EXPECT(TV_OK, tv_string_free(json));
  EXPECT(TV_OK, tv_snapshot_audit(pool, id, &json));
  CHECK(strstr(json, "\"residue\"") != NULL);
  EXPECT(TV_OK, tv_string_free(json));
  EXPECT(TV_ERROR_NOT_FOUND, tv_snapshot_show(pool, "sunday", &json));

  tv_clone_options request = TV_CLONE_OPTIONS_INIT;
  request.name = "alice";
  request.first_port = (uint16_t)atoi(argv[3]);
  request.last_port = (uint16_t)(request.first_port + 9);
  request.listen = "nonsense";
  EXPECT(TV_ERROR_ARGUMENT, tv_clone_create(pool, id, &request, &json));
  request.listen = NULL;
  EXPECT(TV_OK, tv_clone_create(pool, id, &request, &json));
  CHECK(strlen(member(json, "password")) > 8);
  printf("dsn %s\n", member(json, "dsn"));
  EXPECT(TV_OK, tv_string_free(json));
  EXPECT(TV_ERROR_BUSY, tv_snapshot_destroy(pool, id));
  EXPECT(TV_OK, tv_clone_stop(pool, "alice", &json));
  CHECK(strcmp(member(json, "state"), "stopped") == 0);
  EXPECT(TV_OK, tv_string_free(json));
  EXPECT(TV_OK, tv_clone_start(pool, "alice", &json));
  CHECK(strcmp(member(json, "state"), "running") == 0);
  EXPECT(TV_OK, tv_string_free(json));
  EXPECT(TV_OK, tv_clone_reset(pool, "alice", "a new password", NULL, &json));
  EXPECT(TV_OK, tv_string_free(json));
  tv_snapshot_options branch = TV_SNAPSHOT_OPTIONS_INIT;
  branch.name = "tuesday";
  EXPECT(TV_ERROR_NOT_FOUND, tv_snapshot_of_clone(pool, "bob", NULL, &branch, &json));
  EXPECT(TV_OK, tv_snapshot_of_clone(pool, "alice", key, &branch, &json));
  CHECK(strstr(json, "\"clone_name\":\"alice\"") != NULL);
  EXPECT(TV_OK, tv_string_free(json));
  EXPECT(TV_ERROR_NOT_FOUND, tv_clone_reset_to(pool, "alice", "never", NULL, NULL, &json));
  EXPECT(TV_OK, tv_clone_reset_to(pool, "alice", "tuesday", NULL, NULL, &json));
  EXPECT(TV_OK, tv_string_free(json));
  EXPECT(TV_ERROR_BUSY, tv_snapshot_destroy(pool, "tuesday"));
  EXPECT(TV_OK, tv_clone_reset_to(pool, "alice", id, NULL, NULL, &json));
  EXPECT(TV_OK, tv_string_free(json));
  EXPECT(TV_OK, tv_snapshot_destroy(pool, "tuesday"));
  EXPECT(TV_OK, tv_clone_show(pool, "alice", &json));
  EXPECT(TV_OK, tv_string_free(json));
  EXPECT(TV_OK, tv_clone_list(pool, &json));
  CHECK(strcmp(member(json, "name"), "alice") == 0);
  EXPECT(TV_OK, tv_string_free(json));
  EXPECT(TV_OK, tv_clone_destroy(pool, "alice"));
  EXPECT(TV_ERROR_NOT_FOUND, tv_clone_destroy(pool, "alice"));
  EXPECT(TV_OK, tv_snapshot_destroy(pool, id));
  EXPECT(TV_OK, tv_pool_status(pool, &json));
  CHECK(strstr(json, "\"snapshots\":0") != NULL);
  EXPECT(TV_OK, tv_string_free(json));

  EXPECT(TV_OK, tv_key_close(key));
  EXPECT(TV_OK, tv_rules_close(rules));
  EXPECT(TV_OK, tv_rules_close(none));
  EXPECT(TV_OK, tv_pool_close(pool));
  CHECK(tv_open_handles() == 0 && tv_open_strings() == 0);
  puts("ok");
  return 0;
}

/* The mask engine alone. Argument: a file of golden vectors, "spec<TAB>value<TAB>masked" a line,
 * values in hexadecimal. */
#include "check.h"

static tv_key *golden_key(void) {
  uint8_t bytes[32];
  tv_key *key = NULL;
  for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t)i;
  EXPECT(TV_OK, tv_key_from_bytes(bytes, sizeof bytes, &key));
  return key;
}

static size_t unhex(const char *text, uint8_t *out, size_t room) {
  size_t len = strlen(text) / 2;
  CHECK(len <= room);
  for (size_t i = 0; i < len; i++) {
    unsigned byte = 0;
    CHECK(sscanf(text + 2 * i, "%2x", &byte) == 1);
    out[i] = (uint8_t)byte;
  }
  return len;
}

static void golden_vectors(const char *path, const tv_key *key) {
  static char line[65536], last[4096];
  tv_mask *mask = NULL;
  size_t count = 0;
  FILE *file = fopen(path, "r");
  CHECK(file != NULL);
  while (fgets(line, sizeof line, file)) {
    uint8_t value[8192], wanted[8192], masked[8192];
    char *spec = line, *from = strchr(line, '\t'), *to;
    CHECK(from != NULL);
    *from++ = '\0';
    to = strchr(from, '\t');
    CHECK(to != NULL);
    *to++ = '\0';
    to[strcspn(to, "\n")] = '\0';
    if (strcmp(spec, last) != 0) {
      EXPECT(TV_OK, tv_mask_close(mask));
      EXPECT(TV_OK, tv_mask_compile(spec, key, &mask));
      CHECK(strlen(spec) < sizeof last);
      strcpy(last, spec);
    }
    size_t len = unhex(from, value, sizeof value);
    CHECK(unhex(to, wanted, sizeof wanted) == len);
    EXPECT(TV_OK, tv_mask_apply(mask, value, len, masked));
    CHECK(memcmp(masked, wanted, len) == 0);
    count++;
  }
  fclose(file);
  EXPECT(TV_OK, tv_mask_close(mask));
  CHECK(count > 10);
  printf("%zu vectors\n", count);
}

static void columns(const tv_key *key) {
  const char *bytes = "??AnnaBerthaAnna!!";
  const int64_t offsets[] = {2, 6, 12, 12, 16};
  const uint8_t validity[] = {0x0d}; /* Bertha is absent. */
  char out[18], one[4];
  tv_mask *mask = NULL;
  EXPECT(TV_OK, tv_mask_compile("{\"mask\": \"first_name\"}", key, &mask));
  EXPECT(TV_OK, tv_mask_apply(mask, (const uint8_t *)"Anna", 4, (uint8_t *)one));
  EXPECT(TV_OK, tv_mask_apply_column(mask, (const uint8_t *)bytes, 18, offsets, 4, validity,
                                     (uint8_t *)out));
  CHECK(memcmp(out + 2, one, 4) == 0 && memcmp(out + 12, one, 4) == 0);
  CHECK(memcmp(out + 6, "\0\0\0\0\0\0", 6) == 0 && out[0] == 0 && out[17] == 0);
  CHECK(memcmp(one, "Anna", 4) != 0);

  const int64_t backwards[] = {4, 2}, beyond[] = {0, 19};
  memset(out, 'x', sizeof out);
  EXPECT(TV_ERROR_ARGUMENT, tv_mask_apply_column(mask, (const uint8_t *)bytes, 18, backwards, 1,
                                                 NULL, (uint8_t *)out));
  EXPECT(TV_ERROR_ARGUMENT, tv_mask_apply_column(mask, (const uint8_t *)bytes, 18, beyond, 1, NULL,
                                                 (uint8_t *)out));
  CHECK(out[0] == 'x' && out[17] == 'x'); /* Outputs are written on success alone. */
  EXPECT(TV_OK, tv_mask_apply_column(mask, NULL, 0, offsets, 0, NULL, NULL));
  EXPECT(TV_OK, tv_mask_close(mask));
}

static int released;

static void release(void *context) {
  CHECK(strcmp(context, "context") == 0);
  released++;
}

static int reverse(void *context, const uint8_t *value, size_t len, uint8_t *out, size_t *written) {
  CHECK(strcmp(context, "context") == 0);
  if (len == 3) return 1;               /* fails */
  if (len == 5) out[5] = 'x';           /* writes too much */
  for (size_t i = 0; i < len; i++) out[i] = value[len - 1 - i];
  *written = len == 7 ? 6 : len;        /* too short */
  return 0;
}

static void custom(void) {
  static char context[] = "context";
  const char *bad[] = {"abc", "abcde", "abcdefg", "\xc3\xa4"}; /* reversed, no UTF-8 */
  uint8_t out[8];
  tv_mask *mask = NULL;
  EXPECT(TV_ERROR_ARGUMENT, tv_mask_custom("jsonpath", reverse, context, release, &mask));
  EXPECT(TV_ERROR_NULL, tv_mask_custom("text", NULL, context, release, &mask));
  CHECK(mask == NULL && released == 0);
  EXPECT(TV_OK, tv_mask_custom("text", reverse, context, release, &mask));
  EXPECT(TV_OK, tv_mask_apply(mask, (const uint8_t *)"abcd", 4, out));
  CHECK(memcmp(out, "dcba", 4) == 0);
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    memset(out, 'x', sizeof out);
    EXPECT(TV_ERROR_CUSTOM_MASK,
           tv_mask_apply(mask, (const uint8_t *)bad[i], strlen(bad[i]), out));
    CHECK(out[0] == 'x');
  }
  EXPECT(TV_OK, tv_mask_close(mask));
  CHECK(released == 1);
}

static void misuse(const tv_key *key) {
  tv_mask *mask = NULL;
  tv_rules *rules = NULL;
  tv_pool *pool = (tv_pool *)(uintptr_t)0xdead0;
  tv_key *second = NULL;
  char *text = NULL, *stray = (char *)(uintptr_t)16;
  uint8_t byte = 0;

  EXPECT(TV_ERROR_NULL, tv_key_from_bytes(NULL, 32, &second));
  EXPECT(TV_ERROR_ARGUMENT, tv_key_from_bytes(&byte, 1, &second));
  EXPECT(TV_ERROR_NULL, tv_key_generate(NULL));
  EXPECT(TV_OK, tv_key_generate(&second));
  EXPECT(TV_OK, tv_key_close(second));
  EXPECT(TV_ERROR_HANDLE, tv_key_close(second));             /* closed twice */
  EXPECT(TV_ERROR_HANDLE, tv_key_id(second, &text));         /* used after it was closed */
  EXPECT(TV_ERROR_HANDLE, tv_mask_close((tv_mask *)(uintptr_t)key)); /* of another type */
  EXPECT(TV_ERROR_HANDLE, tv_pool_close(pool));              /* made up */
  EXPECT(TV_ERROR_HANDLE, tv_pool_status(NULL, &text));
  EXPECT(TV_ERROR_NULL, tv_pool_open(NULL, &pool));
  EXPECT(TV_ERROR_NOT_FOUND, tv_pool_open("/nonexistent/pool", &pool));
  EXPECT(TV_ERROR_NULL, tv_mask_compile(NULL, key, &mask));
  EXPECT(TV_ERROR_UTF8, tv_mask_compile("\xff", key, &mask));
  EXPECT(TV_ERROR_ARGUMENT, tv_mask_compile("{\"mask\": \"nonsense\"}", key, &mask));
  EXPECT(TV_ERROR_ARGUMENT, tv_mask_compile("{\"mask\": \"uuid\", \"type\": \"date\"}", key, &mask));
  EXPECT(TV_ERROR_HANDLE, tv_mask_compile("{\"mask\": \"email\"}", NULL, &mask));
  EXPECT(TV_ERROR_REFUSED, tv_rules_parse("nonsense = 1", &rules));
  CHECK(strstr(tv_last_error_json(), "\"remedy\"") != NULL);
  CHECK(tv_last_error_code() == TV_ERROR_REFUSED && tv_last_error_block() == -1);
  CHECK(tv_last_error_relation() == NULL && tv_last_error_column() == NULL);
  EXPECT(TV_OK, tv_rules_parse("version = 1\n", &rules));
  EXPECT(TV_OK, tv_rules_close(rules));
  EXPECT(TV_ERROR_HANDLE, tv_rules_close(rules));

  EXPECT(TV_OK, tv_key_id(key, &text));
  CHECK(strlen(text) == 16);
  EXPECT(TV_OK, tv_string_free(text));
  EXPECT(TV_ERROR_HANDLE, tv_string_free(text)); /* freed twice */
  EXPECT(TV_ERROR_HANDLE, tv_string_free(stray));
  EXPECT(TV_OK, tv_string_free(NULL));

  EXPECT(TV_OK, tv_mask_compile("{\"mask\": \"integer\", \"type\": \"int4\"}", key, &mask));
  EXPECT(TV_ERROR_VALUE, tv_mask_apply(mask, &byte, 1, &byte)); /* an int4 has 4 bytes */
  EXPECT(TV_OK, tv_mask_close(mask));

  tv_snapshot_options options = TV_SNAPSHOT_OPTIONS_INIT;
  options.size = 4096;
  EXPECT(TV_ERROR_ARGUMENT, tv_rules_check(NULL, "/x", NULL, &options, &text));
}

static int array_released, schema_released;

static void release_array(struct ArrowArray *array) {
  array_released++;
  array->release = NULL;
}

static void release_schema(struct ArrowSchema *schema) {
  schema_released++;
  schema->release = NULL;
}

/* An array of texts, one of them null, made by hand as any host would. */
static void arrow(const tv_key *key) {
  int32_t offsets[] = {0, 4, 4, 8};
  uint8_t validity[] = {0x05};
  char values[] = "AnnaAnna";
  const void *buffers[] = {validity, offsets, values};
  struct ArrowArray array = {3, 1, 0, 3, 0, buffers, NULL, NULL, release_array, NULL}, out;
  struct ArrowSchema schema = {"u", "name", NULL, 2, 0, NULL, NULL, release_schema, NULL}, out_schema;
  tv_mask *mask = NULL, *number = NULL;

  EXPECT(TV_OK, tv_mask_compile("{\"mask\": \"integer\", \"type\": \"int4\"}", key, &number));
  struct ArrowArray again = array;
  EXPECT(TV_ERROR_ARGUMENT, tv_mask_apply_arrow(number, &again, &schema, &out, &out_schema));
  CHECK(array_released == 1 && again.release == NULL);
  EXPECT(TV_ERROR_ARGUMENT, tv_mask_apply_arrow(number, &again, &schema, &out, &out_schema));
  EXPECT(TV_OK, tv_mask_close(number));

  EXPECT(TV_OK, tv_mask_compile("{\"mask\": \"first_name\"}", key, &mask));
  offsets[3] = 4000; /* beyond the values, which Arrow can't know; but not below the one before: */
  offsets[3] = 2;
  again = array;
  EXPECT(TV_ERROR_CORRUPT, tv_mask_apply_arrow(mask, &again, &schema, &out, &out_schema));
  offsets[3] = 8;
  EXPECT(TV_OK, tv_mask_apply_arrow(mask, &array, &schema, &out, &out_schema));
  CHECK(array.release == NULL && out.length == 3 && out.null_count == 1);
  CHECK(strcmp(out_schema.name, "name") == 0 && strcmp(out_schema.format, "u") == 0);
  const char *masked = out.buffers[2];
  CHECK(memcmp(masked, masked + 4, 4) == 0 && memcmp(masked, "Anna", 4) != 0);
  CHECK(memcmp(values, "AnnaAnna", 8) == 0); /* The input is nobody's to change. */
  out.release(&out);
  out_schema.release(&out_schema);
  schema.release(&schema);
  CHECK(array_released == 3 && schema_released == 1);
  EXPECT(TV_OK, tv_mask_close(mask));
}

int main(int argc, char **argv) {
  CHECK(argc == 2);
  CHECK(tv_abi_version() >= TV_ABI_VERSION && strlen(tv_version()) > 0);
  CHECK(tv_last_error_code() == TV_OK && strlen(tv_last_error_message()) == 0);
  tv_key *key = golden_key();
  golden_vectors(argv[1], key);
  columns(key);
  custom();
  misuse(key);
  arrow(key);
  EXPECT(TV_OK, tv_key_close(key));
  CHECK(tv_open_handles() == 0 && tv_open_strings() == 0);
  puts("ok");
  return 0;
}

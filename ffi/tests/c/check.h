/* What the test programs share. */
#ifndef CHECK_H
#define CHECK_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "thinveil.h"

/* Ends the program unless the call returns this status. */
#define EXPECT(status, call)                                                                       \
  do {                                                                                             \
    tv_status got_ = (call);                                                                       \
    if (got_ != (status)) {                                                                        \
      fprintf(stderr, "%s:%d: %s: %d, not %d: %s\n", __FILE__, __LINE__, #call, (int)got_,         \
              (int)(status), tv_last_error_json());                                                \
      exit(1);                                                                                     \
    }                                                                                              \
  } while (0)

#define CHECK(condition)                                                                           \
  do {                                                                                             \
    if (!(condition)) {                                                                            \
      fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                              \
      exit(1);                                                                                     \
    }                                                                                              \
  } while (0)

#endif

// The header in C++.
#include "thinveil.h"
#include "thinveil.h"

int main() {
  tv_key *key = nullptr;
  tv_snapshot_options options = TV_SNAPSHOT_OPTIONS_INIT;
  tv_clone_options request = TV_CLONE_OPTIONS_INIT;
  if (tv_key_generate(&key) != TV_OK || options.size == 0 || request.size == 0) return 1;
  return tv_key_close(key) == TV_OK ? 0 : 1;
}

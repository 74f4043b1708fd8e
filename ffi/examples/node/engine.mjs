// An engine: it serves clones of a pool's snapshots on a line protocol, as ../engine.c does.
//
//   npm install && node engine.mjs POOL [FIRST_PORT LAST_PORT]
//
// THINVEIL_LIBRARY says where libthinveil.so.1 is, if not where the system looks.
import { createInterface } from 'node:readline';
import koffi from 'koffi';

const library = koffi.load(process.env.THINVEIL_LIBRARY ?? 'libthinveil.so.1');
const TV_OK = 0;
const TV_ERROR_ARGUMENT = 103;
const TV_ABI_VERSION = 1;

koffi.opaque('tv_pool');
koffi.struct('tv_clone_options', {
  size: 'size_t',
  name: 'const char *',
  first_port: 'uint16_t',
  last_port: 'uint16_t',
  user: 'const char *',
  password: 'const char *',
  database: 'const char *',
  listen: 'const char *',
  tls_cert: 'const char *',
  tls_key: 'const char *',
  pg_bin: 'const char *',
  cancel: 'const void *',
});

// Texts that are handed out are freed as soon as JavaScript has them.
const freeText = library.func('int32_t tv_string_free(void *text)');
koffi.disposable('tv_text', 'str', freeText);

const abiVersion = library.func('uint32_t tv_abi_version()');
const lastError = library.func('const char *tv_last_error_json()');
const poolOpen = library.func('int32_t tv_pool_open(const char *dir, _Out_ tv_pool **pool)');
const poolClose = library.func('int32_t tv_pool_close(tv_pool *pool)');
const snapshotList = library.func(
  'int32_t tv_snapshot_list(const tv_pool *pool, _Out_ tv_text *json)');
const cloneList = library.func('int32_t tv_clone_list(const tv_pool *pool, _Out_ tv_text *json)');
const cloneCreate = library.func(
  'int32_t tv_clone_create(const tv_pool *pool, const char *snapshot, ' +
  'const tv_clone_options *options, _Out_ tv_text *json)');
const cloneShow = library.func(
  'int32_t tv_clone_show(const tv_pool *pool, const char *id, _Out_ tv_text *json)');
const cloneReset = library.func(
  'int32_t tv_clone_reset(const tv_pool *pool, const char *id, const char *password, ' +
  'const void *cancel, _Out_ tv_text *json)');
const cloneDestroy = library.func('int32_t tv_clone_destroy(const tv_pool *pool, const char *id)');

class ThinveilError extends Error {
  constructor(code) {
    // Of this thread: calls that koffi makes elsewhere (`.async`) leave theirs there.
    super(lastError());
    this.code = code;
  }
}

// Calls `method`, whose last argument is where its record goes.
function record(method, ...args) {
  const json = [null];
  const status = method(...args, json);
  if (status !== TV_OK) throw new ThinveilError(status);
  return JSON.parse(json[0]);
}

const [dir, first_port = 0, last_port = 0] = process.argv.slice(2);
if (dir === undefined) {
  console.error('usage: engine.mjs POOL [FIRST_PORT LAST_PORT]');
  process.exit(2);
}
if (abiVersion() !== TV_ABI_VERSION) throw new Error('made for another version of libthinveil');

// Opening finishes or undoes what a crash has left.
const opened = [null];
if (poolOpen(dir, opened) !== TV_OK) {
  console.error(lastError());
  process.exit(1);
}
const [pool] = opened;

const requests = {
  snapshots: () => record(snapshotList, pool),
  clones: () => record(cloneList, pool),
  create: (snapshot, name) => record(cloneCreate, pool, snapshot, {
    size: koffi.sizeof('tv_clone_options'),
    name,
    first_port: Number(first_port),
    last_port: Number(last_port),
  }),
  show: (name) => record(cloneShow, pool, name),
  // Without a password it keeps its own.
  reset: (name) => record(cloneReset, pool, name, null, null),
  destroy: (name) => {
    const status = cloneDestroy(pool, name);
    if (status !== TV_OK) throw new ThinveilError(status);
    return null;
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const [verb, ...args] = line.trim().split(/\s+/);
  if (verb === '') continue;
  try {
    if (!Object.hasOwn(requests, verb)) {
      console.log(`error ${TV_ERROR_ARGUMENT} "no such request"`);
    } else {
      console.log(`ok ${JSON.stringify(requests[verb](...args))}`);
    }
  } catch (error) {
    if (!(error instanceof ThinveilError)) throw error;
    console.log(`error ${error.code} ${error.message}`);
  }
}
// Clones outlive whoever made them.
poolClose(pool);

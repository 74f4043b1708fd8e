// An engine: it serves clones of a pool's snapshots on a line protocol, as ../engine.c does.
//
//	go build && ./engine POOL [FIRST_PORT LAST_PORT]
package main

/*
#cgo pkg-config: thinveil
#include <stdlib.h>
#include <thinveil.h>

static tv_clone_options clone_options(void) {
	tv_clone_options options = TV_CLONE_OPTIONS_INIT;
	return options;
}
*/
import "C"

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"unsafe"
)

// Failure is a status other than TV_OK, with thinveil's record of it.
type Failure struct {
	Code int
	JSON string
}

func (f *Failure) Error() string { return f.JSON }

// call keeps the goroutine on its thread: the last error is the thread's.
func call(function func() C.tv_status) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if status := function(); status != C.TV_OK {
		return &Failure{int(status), C.GoString(C.tv_last_error_json())}
	}
	return nil
}

// record calls a function that hands out a text, and frees that.
func record(function func(json **C.char) C.tv_status) (string, error) {
	var json *C.char
	if err := call(func() C.tv_status { return function(&json) }); err != nil {
		return "", err
	}
	defer C.tv_string_free(json)
	return C.GoString(json), nil
}

// Engine serves one pool.
type Engine struct {
	pool                *C.tv_pool
	firstPort, lastPort C.uint16_t
}

// Open opens a pool, and finishes or undoes what a crash has left.
func Open(dir string) (*Engine, error) {
	path := C.CString(dir)
	defer C.free(unsafe.Pointer(path))
	engine := &Engine{}
	return engine, call(func() C.tv_status { return C.tv_pool_open(path, &engine.pool) })
}

func (e *Engine) create(snapshot, name *C.char) (string, error) {
	options := C.clone_options()
	options.name, options.first_port, options.last_port = name, e.firstPort, e.lastPort
	return record(func(json **C.char) C.tv_status {
		return C.tv_clone_create(e.pool, snapshot, &options, json)
	})
}

// answer does what a request asks for.
func (e *Engine) answer(verb string, first, second *C.char) (string, error) {
	switch verb {
	case "snapshots":
		return record(func(json **C.char) C.tv_status { return C.tv_snapshot_list(e.pool, json) })
	case "clones":
		return record(func(json **C.char) C.tv_status { return C.tv_clone_list(e.pool, json) })
	case "create":
		return e.create(first, second)
	case "show":
		return record(func(json **C.char) C.tv_status { return C.tv_clone_show(e.pool, first, json) })
	case "reset":
		// Without a password it keeps its own.
		return record(func(json **C.char) C.tv_status {
			return C.tv_clone_reset(e.pool, first, nil, nil, json)
		})
	case "destroy":
		return "null", call(func() C.tv_status { return C.tv_clone_destroy(e.pool, first) })
	}
	return "", &Failure{C.TV_ERROR_ARGUMENT, `"no such request"`}
}

func (e *Engine) serve(line string) {
	words := strings.Fields(line)
	if len(words) == 0 {
		return
	}
	// NULL where there is no word: thinveil says so.
	var arguments [2]*C.char
	for i := 0; i < len(arguments) && i+1 < len(words); i++ {
		arguments[i] = C.CString(words[i+1])
		defer C.free(unsafe.Pointer(arguments[i]))
	}
	json, err := e.answer(words[0], arguments[0], arguments[1])
	if failure, ok := err.(*Failure); ok {
		fmt.Println("error", failure.Code, failure.JSON)
	} else {
		fmt.Println("ok", json)
	}
}

func main() {
	if len(os.Args) != 2 && len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: engine POOL [FIRST_PORT LAST_PORT]")
		os.Exit(2)
	}
	engine, err := Open(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, "engine:", err)
		os.Exit(1)
	}
	if len(os.Args) == 4 {
		first, _ := strconv.ParseUint(os.Args[2], 10, 16)
		last, _ := strconv.ParseUint(os.Args[3], 10, 16)
		engine.firstPort, engine.lastPort = C.uint16_t(first), C.uint16_t(last)
	}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		engine.serve(lines.Text())
	}
	// Clones outlive whoever made them.
	C.tv_pool_close(engine.pool)
}

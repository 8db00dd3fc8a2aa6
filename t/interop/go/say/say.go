// Package say prints a line of JSON each: first which client it is, then what
// happens to it.
package say

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
)

// Line prints what happened.
func Line(what map[string]any) {
	text, _ := json.Marshal(what)
	fmt.Println(string(text))
}

// Client prints which version of a module this program was built with.
func Client(path string) {
	info, _ := debug.ReadBuildInfo()
	for _, dep := range info.Deps {
		if dep.Path == path {
			Line(map[string]any{"client": "Go " + path + " " + dep.Version,
				"runtime": runtime.Version()})
			return
		}
	}
	Line(map[string]any{"failed": "this program has no " + path})
	os.Exit(1)
}

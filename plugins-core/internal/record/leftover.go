package record

import (
	"os"
	"path/filepath"
	"time"
)

// settled is how long a temporary file has to be there unchanged to be nobody's: a write takes milliseconds.
const settled = time.Second

// Leftovers lists the temporary files in dirs that writers have left which were killed. It takes no time where there is
// none, else a second, in which whoever still writes is done.
func Leftovers(dirs ...string) []string {
	before := temporaries(dirs)
	for deadline := time.Now().Add(settled); len(before) > 0 && time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		now := temporaries(dirs)
		for path, changed := range before {
			if again, there := now[path]; !there || !again.Equal(changed) {
				delete(before, path)
			}
		}
	}
	out := make([]string, 0, len(before))
	for path := range before {
		out = append(out, path)
	}
	return out
}

// temporaries are the temporary files in dirs and when they were changed.
func temporaries(dirs []string) map[string]time.Time {
	out := map[string]time.Time{}
	for _, dir := range dirs {
		entries, err := os.ReadDir(dir)
		if err != nil {
			continue // others say what is wrong with it
		}
		for _, e := range entries {
			if !e.Type().IsRegular() || !isTemporary(e.Name()) {
				continue
			}
			if info, err := e.Info(); err == nil {
				out[filepath.Join(dir, e.Name())] = info.ModTime()
			}
		}
	}
	return out
}

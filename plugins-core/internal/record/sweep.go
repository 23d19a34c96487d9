package record

import (
	"os"
	"path/filepath"
	"strings"
	"time"
)

// staleAfter is the age at which a temporary file is nobody's: a write takes milliseconds.
const staleAfter = time.Hour

// isTemporary tells whether a write may have made a file of that name: a dot, the record's name, a random number.
func isTemporary(name string) bool {
	record := strings.TrimRight(name, "0123456789")
	return len(record) > 1 && record[0] == '.' && len(name)-len(record) >= 5
}

// Sweep removes from dir the temporary files that killed writers have left. It is done along the way, so what cannot be
// removed stays for the next time.
func Sweep(dir string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		if !e.Type().IsRegular() || !isTemporary(e.Name()) {
			continue
		}
		if info, err := e.Info(); err == nil && time.Since(info.ModTime()) > staleAfter {
			_ = os.Remove(filepath.Join(dir, e.Name()))
		}
	}
}

package sshcmd

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dokku-go/dokku/sshcommand/authkeys"
)

// withKeys returns an account that has n keys.
func withKeys(b *testing.B, n int) account {
	a := testAccount(b)
	var text strings.Builder
	for i := range n {
		key, err := authkeys.ParseKey([]byte(newKey(b)))
		if err != nil {
			b.Fatal(err)
		}
		e := authkeys.Entry{Name: fmt.Sprint("key", i), Fingerprint: key.Fingerprint(), Options: defaultOptions, Key: key.String()}
		line, err := authkeys.Format(e, a.home)
		if err != nil {
			b.Fatal(err)
		}
		text.WriteString(line + "\n")
	}
	dir := filepath.Join(a.home, sshDir)
	if err := os.Mkdir(dir, 0o700); err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, keysName), []byte(text.String()), 0o600); err != nil {
		b.Fatal(err)
	}
	return a
}

// BenchmarkList lists 1000 keys. Add the start of a process for what a user waits.
func BenchmarkList(b *testing.B) {
	a := withKeys(b, 1000)
	for _, format := range []string{"text", "json"} {
		b.Run(format, func(b *testing.B) {
			for b.Loop() {
				if status, out, stderr := runTool(a, "", "list", "--format", format, a.name); status != 0 || len(out) < 100_000 {
					b.Fatalf("%d, %d bytes, %s", status, len(out), stderr)
				}
			}
		})
	}
}

// BenchmarkAdd adds a key to 1000 others, on the disk that has the temporary directory.
func BenchmarkAdd(b *testing.B) {
	a := withKeys(b, 1000)
	path := filepath.Join(a.home, sshDir, keysName)
	before, err := os.ReadFile(path)
	if err != nil {
		b.Fatal(err)
	}
	key := newKey(b)
	for b.Loop() {
		addKey(b, a, "new", key)
		b.StopTimer()
		if err := os.WriteFile(path, before, 0o600); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}

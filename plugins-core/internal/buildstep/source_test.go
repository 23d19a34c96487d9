package buildstep

import (
	"bytes"
	"os"
	"slices"
	"testing"
)

// TestSource reads the environment that shell text leaves, whatever the text prints.
func TestSource(t *testing.T) {
	t.Parallel()
	var said bytes.Buffer
	b := newBuilder(&said, &said)
	b.env = []string{"FIRST=1", "PATH=" + os.Getenv("PATH")}
	got, err := b.source("echo printed; export SECOND=$'two\\nlines'", "/")
	if err != nil || !slices.Contains(got, "FIRST=1") || !slices.Contains(got, "SECOND=two\nlines") || len(got) != 3 {
		t.Errorf("got %q, %v", got, err)
	}
	if said.String() != "printed\n" {
		t.Errorf("it said %q", said.String())
	}
	for _, text := range []string{"exit 0", "exit 3", "if"} {
		if got, err := b.source(text, "/"); err == nil {
			t.Errorf("%q: got %q, want an error", text, got)
		}
	}
}

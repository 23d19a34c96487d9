package record

import (
	"os"
	"path/filepath"
	"testing"
)

func TestExchangeByHand(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	from, to := filepath.Join(dir, "from"), filepath.Join(dir, "to")
	for _, there := range []bool{false, true} {
		if err := os.Mkdir(from, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(from, "new"), nil, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := exchangeByHand(from, to); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(filepath.Join(to, "new")); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(from); (err == nil) != there {
			t.Errorf("with a directory there %v, the old one is: %v", there, err)
		}
		if err := os.RemoveAll(from); err != nil {
			t.Fatal(err)
		}
	}
}

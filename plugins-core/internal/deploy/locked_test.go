package deploy_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/deploy"
)

// TestLockByHand writes the record, reads it, and reads what is none.
func TestLockByHand(t *testing.T) {
	t.Parallel()
	a := app.App{Name: "one", Root: t.TempDir()}
	if err := os.Mkdir(a.Dir(), 0o755); err != nil {
		t.Fatal(err)
	}
	if l := deploy.LockedBy(a); l != nil {
		t.Errorf("got %v, want none", l)
	}
	now := time.Now()
	for message, why := range map[string]string{"a\nb": "one line", "\x1b[2J": "one line", "\xff": "one line", strings.Repeat("x", 501): "500 bytes"} {
		if err := deploy.LockByHand(a, deploy.Locked{Who: "ann", Since: now, Message: message}); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%q: got %v, want an error with %q", message, err, why)
		}
	}
	if err := deploy.LockByHand(a, deploy.Locked{Who: "ann", Since: now, Message: "the database moves"}); err != nil {
		t.Fatal(err)
	}
	want := "locked by ann since " + now.Format("15:04:05") + ": the database moves"
	if l := deploy.LockedBy(a); l == nil || l.String() != want {
		t.Errorf("got %v, want %s", l, want)
	}
	if err := deploy.LockByHand(a, deploy.Locked{Who: "bob", Since: now}); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("locked again: got %v", err)
	}
	for _, text := range []string{"", "{", "null", "[]", `{"who":5}`, `{"who":"ann","message":"\u001b"}`, "anything that a hand has written"} {
		if err := os.WriteFile(a.Path(deploy.LockedFile), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if l := deploy.LockedBy(a); l == nil || l.Who != "somebody" || l.Message != "" || time.Since(l.Since) > time.Hour {
			t.Errorf("%q: got %+v, want that somebody has locked it", text, l)
		}
	}
	for range 2 {
		if err := deploy.UnlockByHand(a); err != nil {
			t.Error(err)
		}
	}
	if l := deploy.LockedBy(a); l != nil {
		t.Errorf("got %v, want none", l)
	}
}

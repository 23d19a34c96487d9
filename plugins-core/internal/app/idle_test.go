package app_test

import "testing"

func TestIdle(t *testing.T) {
	t.Parallel()
	a := newApp(t, nil)
	never, idle := a.Idle()
	if !idle {
		t.Error("never locked: got that somebody works on it")
	}
	if again, _ := a.Idle(); again != never {
		t.Errorf("got the mark %q, then %q, and nobody was there", never, again)
	}
	held := lock(t, a, nil)
	if _, idle := a.Idle(); idle {
		t.Error("locked: got that it is idle")
	}
	held.Unlock()
	after, idle := a.Idle()
	if !idle || after == never {
		t.Errorf("given back: got %q, %v, want another mark than %q", after, idle, never)
	}
	lock(t, a, nil).Unlock()
	if again, _ := a.Idle(); again == after {
		t.Errorf("got the mark %q, and it was locked meanwhile", again)
	}
}

package builderdockerfile

import "testing"

func TestFirstPort(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text, target string
		want         int
	}{
		{"FROM x\n", "", 0},
		{"", "", 0},
		{"EXPOSE 80\nFROM x\n", "", 0},
		{"FROM x\nEXPOSE 8080\n", "", 8080},
		{"FROM x\nEXPOSE 9000 80\nEXPOSE 70\n", "", 9000},
		{"from x\nexpose 9000/TCP\n", "", 9000},
		{"FROM x\nEXPOSE 53/udp 5000/sctp 9000/tcp 80\n", "", 9000},
		{"FROM x\nEXPOSE 53/udp\n", "", 0},
		{"FROM x\nEXPOSE 8005-8010\n", "", 8005},
		{"FROM x\nEXPOSE $PORT 80\n", "", 0},
		{"FROM x\nEXPOSE \"80\"\n", "", 0},
		{"FROM x\nEXPOSE 0\n", "", 0},
		{"FROM x\nEXPOSE 65536\n", "", 0},
		{"FROM x\n# EXPOSE 80\nEXPOSE \\\n  # no\n\n  90 \\\n 80\n", "", 90},
		{"FROM x\r\nEXPOSE 80\r\n", "", 80},
		{"FROM x\nRUN echo \\\nEXPOSE 80\n", "", 0},
		{"FROM x AS a\nEXPOSE 80\nFROM y\nEXPOSE 90\n", "", 90},
		{"FROM x AS a\nEXPOSE 80\nFROM y\n", "", 0},
		{"FROM x AS a\nEXPOSE 80\nFROM a\n", "", 80},
		{"FROM x AS a\nEXPOSE 80\nFROM y AS b\nFROM A AS c\nFROM c\n", "", 80},
		{"FROM --platform=linux/amd64 x AS a\nEXPOSE 80\nFROM y\nEXPOSE 90\n", "a", 80},
		{"FROM x AS a\nEXPOSE 80\nFROM y\nEXPOSE 90\n", "1", 90},
		{"FROM x AS a\nEXPOSE 80\nFROM y\nEXPOSE 90\n", "none", 0},
		{"FROM a AS a\n", "", 0},
		{"FROM\nEXPOSE 80\n", "", 0},
	} {
		if got := firstPort(c.text, c.target); got != c.want {
			t.Errorf("%q, %q: got %d, want %d", c.text, c.target, got, c.want)
		}
	}
}

func FuzzFirstPort(f *testing.F) {
	f.Add("FROM x AS a\nEXPOSE 80/tcp \\\n 90-95\nFROM a\n", "a")
	f.Add("FROM --platform=x a as b\nEXPOSE $X", "0")
	f.Fuzz(func(t *testing.T, text, target string) {
		if got := firstPort(text, target); got < 0 || got > 65535 {
			t.Errorf("got %d", got)
		}
	})
}

package buildlog_test

import (
	"encoding/binary"
	"strings"
	"testing"
	"time"

	"github.com/dokku-go/dokku/plugins-core/internal/buildlog"
)

// field is a field with a length; number one with a number.
func field(n int, value string) string {
	out := binary.AppendUvarint(nil, uint64(n<<3|2))
	return string(binary.AppendUvarint(out, uint64(len(value)))) + value
}

func number(n int, v uint64) string {
	return string(binary.AppendUvarint(binary.AppendUvarint(nil, uint64(n<<3)), v))
}

func at(ms int) string { return number(1, uint64(1700000000+ms/1000)) + number(2, uint64(ms%1000*1e6)) }

// step is a record of a step: its digest, name and what else there is.
func step(digest, name string, more ...string) string {
	return field(1, field(1, digest)+field(2, "input")+field(3, name)+strings.Join(more, ""))
}

func began(ms int) string { return field(5, at(ms)) }
func ended(ms int) string { return field(6, at(ms)) }

func said(digest, text string) string {
	return field(3, field(1, digest)+field(2, at(1))+number(3, 1)+field(4, text))
}

func TestDecode(t *testing.T) {
	t.Parallel()
	s, err := buildlog.Decode([]byte(step("a", "[1/2] FROM x", number(4, 1), began(1500), ended(2750), field(7, "no"), "\x41\x01\x02\x03\x04\x05\x06\x07\x08\x4d\x01\x02\x03\x04") + said("a", "hello\n")))
	if err != nil {
		t.Fatal(err)
	}
	v := s.Steps[0]
	if v.Digest != "a" || v.Name != "[1/2] FROM x" || !v.Cached || v.Error != "no" || v.Completed.Sub(v.Started) != 1250*time.Millisecond {
		t.Errorf("got %+v", v)
	}
	if len(s.Logs) != 1 || s.Logs[0].Vertex != "a" || string(s.Logs[0].Text) != "hello\n" {
		t.Errorf("got %+v", s.Logs)
	}
	for _, text := range []string{"\x0a", "\x0a\x05abc", "\xff", "\x08", "\x0b", "\x0a\x02\x0a\x09", strings.Repeat("\xff", 11)} {
		if got, err := buildlog.Decode([]byte(text)); err == nil {
			t.Errorf("%q: got %+v, want an error", text, got)
		}
	}
}

// What is printed, and said of a failure, record by record.
func TestPrinter(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	p := buildlog.NewPrinter(&out)
	for _, record := range []string{
		step("i", "[internal] load remote build context", began(0)) + step("c", "copy /context /", began(0), ended(1)),
		step("a", "[1/3] FROM x") + step("b", "[2/3] RUN\tmake") + step("w", "[w 1/1] RUN wait"),
		step("a", "[1/3] FROM x", number(4, 1), began(0), ended(0)),
		step("b", "[2/3] RUN\tmake", began(0)) + said("b", "one\r\ntw"),
		said("b", "o\n10%\r100%\nend"),
		step("w", "[w 1/1] RUN wait", began(10)) + said("w", "waiting\n"),
		step("b", "[2/3] RUN\tmake", began(0), ended(1260), field(7, "exit code: 2")),
		step("w", "[w 1/1] RUN wait", began(10), ended(1300), field(7, "rpc: context canceled")),
		step("x", "exporting to image", began(0), ended(1)),
	} {
		if err := p.Print([]byte(record)); err != nil {
			t.Fatal(err)
		}
	}
	name, text, err := p.Failed()
	if name != "[2/3] RUN make" || text != "exit code: 2" || err != nil {
		t.Errorf("got %q, %q, %v", name, text, err)
	}
	const want = `#1 [1/3] FROM x
#1 CACHED
#2 [2/3] RUN make
#2 one
#2 two
#2 100%
#3 [w 1/1] RUN wait
#3 waiting
#2 end
#2 ERROR: exit code: 2
#3 CANCELED
#2 failed, and said last:
#2 one
#2 two
#2 100%
#2 end
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}

func TestPrinterBounds(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	p := buildlog.NewPrinter(&out)
	record := step("a", "RUN x", began(0)) + said("a", strings.Repeat("x", 1<<20)) + said("unknown", "y\n") + step("a", "RUN x", began(0), ended(1))
	if err := p.Print([]byte(record)); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(out.String(), "x"); n != 1<<20+1 { // one is of its name
		t.Errorf("got %d bytes of %d", n, 1<<20+1)
	}
	for line := range strings.Lines(out.String()) {
		if len(line) > 20<<10 || !strings.HasPrefix(line, "#1 ") {
			t.Errorf("a line of %d bytes, %.20q", len(line), line)
		}
	}
}

// FuzzPrinter prints any two records: each line has its number, and an error comes back as one.
func FuzzPrinter(f *testing.F) {
	f.Add([]byte(step("a", "[1/2] RUN x", began(0))), []byte(said("a", "text\n\r\n")))
	f.Add([]byte(step("a", "x", began(0), ended(9), field(7, "context canceled"))), []byte("\x0a\x02\x0a\x00"))
	f.Fuzz(func(t *testing.T, one, two []byte) {
		var out strings.Builder
		p := buildlog.NewPrinter(&out)
		_, _ = p.Print(one), p.Print(two)
		if _, _, err := p.Failed(); err != nil {
			t.Error(err)
		}
		for line := range strings.Lines(out.String()) {
			if !strings.HasPrefix(line, "#") || !strings.HasSuffix(line, "\n") {
				t.Errorf("got the line %q", line)
			}
		}
	})
}

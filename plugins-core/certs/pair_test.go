package certs

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"strings"
	"testing"
	"time"

	"github.com/dokku-go/dokku/plugins-core/internal/hosts"
)

type member struct {
	name string
	kind byte
	text string
}

func archive(t testing.TB, members ...member) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, m := range members {
		h := &tar.Header{Name: m.name, Typeflag: m.kind, Mode: 0o644, Size: int64(len(m.text))}
		if m.kind != tar.TypeReg {
			h.Size, h.Linkname = 0, m.text
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if m.kind == tar.TypeReg {
			if _, err := w.Write([]byte(m.text)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func pack(t testing.TB, data []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	_, err := z.Write(data)
	if err != nil || z.Close() != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// TestFromTar reads tars as people make them, and ones that want to get somewhere.
func TestFromTar(t *testing.T) {
	t.Parallel()
	crt, key := member{"server.crt", tar.TypeReg, "C"}, member{"server.key", tar.TypeReg, "K"}
	for _, c := range []struct {
		what    string
		members []member
		want    string // "": it is read
	}{
		{"two files", []member{crt, key}, ""},
		{"in a directory", []member{{"./d/", tar.TypeDir, ""}, {"./d/x.key", tar.TypeReg, "K"}, {"./d/x.crt", tar.TypeReg, "C"}}, ""},
		{"with others", []member{{"README", tar.TypeReg, "r"}, crt, key, {"../../etc/passwd", tar.TypeReg, "p"}}, ""},
		{"a path that leads out", []member{{"../../server.crt", tar.TypeReg, "C"}, {"/etc/server.key", tar.TypeReg, "K"}}, ""},
		{"no certificate", []member{key}, "Tar archive is missing .crt file"},
		{"no key", []member{crt}, "Tar archive is missing .key file"},
		{"two keys", []member{crt, key, {"b.key", tar.TypeReg, "K"}}, "Tar archive contains more than one .key file"},
		{"a link", []member{{"server.crt", tar.TypeSymlink, "/etc/passwd"}, key}, "has to be a regular file"},
		{"a hard link", []member{crt, {"server.key", tar.TypeLink, "server.crt"}}, "has to be a regular file"},
		{"a device", []member{{"server.crt", tar.TypeChar, ""}, key}, "has to be a regular file"},
		{"a large file", []member{{"server.crt", tar.TypeReg, strings.Repeat("C", maxFile+1)}, key}, "has to be a regular file"},
		{"many files", append(make101(), crt, key), "more than 100 members"},
	} {
		plain := archive(t, c.members...)
		for _, data := range [][]byte{plain, pack(t, plain)} {
			p, err := fromTar(bytes.NewReader(data))
			switch {
			case c.want == "" && (err != nil || string(p.crt) != "C" || string(p.key) != "K"):
				t.Errorf("%s: got %q, %v", c.what, p, err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("%s: got %v, want %q", c.what, err, c.want)
			}
		}
	}
}

func make101() []member {
	var out []member
	for range maxMembers {
		out = append(out, member{"x", tar.TypeReg, ""})
	}
	return out
}

// FuzzFromTar has fromTar read anything: it ends, and what it returns is a pair.
func FuzzFromTar(f *testing.F) {
	f.Add(archive(f, member{"server.crt", tar.TypeReg, "C"}, member{"server.key", tar.TypeReg, "K"}))
	f.Add([]byte{0x1f, 0x8b})
	f.Add([]byte("text"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if p, err := fromTar(bytes.NewReader(data)); err == nil && (p.crt == nil || p.key == nil) {
			t.Errorf("got %q", p)
		}
	})
}

// TestCheck makes pairs and mixes them.
func TestCheck(t *testing.T) {
	t.Parallel()
	one, request, err := selfSigned("one.test", time.Now())
	if err != nil || !bytes.Contains(request, []byte("CERTIFICATE REQUEST")) {
		t.Fatal(err)
	}
	two, _, err := selfSigned("*.two.test", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	cert, err := one.check()
	if err != nil || !hosts.Covers(cert, "One.test") || hosts.Covers(cert, "a.one.test") {
		t.Errorf("got %v, %v", cert, err)
	}
	wild, err := two.check()
	if err != nil || !hosts.Covers(wild, "a.two.test") || hosts.Covers(wild, "a.b.two.test") || hosts.Covers(wild, "two.test") {
		t.Errorf("got %v, %v", wild, err)
	}
	long := strings.Repeat("a.", 126) + "a"
	if p, _, err := selfSigned(long, time.Now()); err != nil {
		t.Error(err)
	} else if cert, err := p.check(); err != nil || !hosts.Covers(cert, long) {
		t.Errorf("a long name: got %v", err)
	}
	for _, c := range []struct {
		p    pair
		want string
	}{
		{pair{one.crt, two.key}, "cannot use the key: it is not that of the certificate"},
		{pair{one.key, one.key}, "cannot use the certificate: it is no PEM certificate"},
		{pair{one.crt, []byte("x")}, "cannot use the key: it is no PEM key"},
		{pair{one.crt, one.crt}, "cannot use the key: "},
		{pair{nil, one.key}, "it is no PEM certificate"},
		{pair{[]byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), one.key}, "cannot use the certificate: "},
	} {
		if _, err := c.p.check(); err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("got %v, want %q", err, c.want)
		}
	}
}

package nginxvhosts

import (
	"context"
	"encoding/base64"
	"os"
	"strings"
	"testing"

	"github.com/dokku-go/dokku/pluginhook"
	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/dockerapi"
	"github.com/dokku-go/dokku/plugins-core/plug"
	"github.com/dokku-go/dokku/plugins-core/settings"
)

func sample() variables {
	return variables{own: map[string]string{"APP": "foo", "PROXY_PORT_MAP": "http:80:5000 https:443:5000", "EMPTY": ""},
		env: map[string]string{"MINE": "b a b", "BAD": "x;y"}}
}

// TestExpandSigil has each function once, and what is refused.
func TestExpandSigil(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		`{{ .APP }} {{ $APP }}`: "foo foo",
		`{{ range .PROXY_PORT_MAP | split " " }}<{{ . }}>{{ end }}`:     "<http:80:5000><https:443:5000>",
		`{{ index (split ":" "a:b") 1 }}`:                               "b",
		`{{ if .EMPTY }}no{{ else }}yes{{ end }}{{ .UNKNOWN }}`:         "yes",
		`{{ var "MINE" }}{{ var "NOT_THERE" }}{{ var "APP" }}`:          "b a bfoo",
		`{{ .EMPTY | default "d" }}{{ .APP | default "d" }}`:            "dfoo",
		`{{ var "MINE" | split " " | uniq | join "," }}`:                "b,a",
		`{{ split " " "a b" | append "c" | drop "a*" | join "+" }}`:     "b+c",
		`{{ index (split "," "k=v,w" | splitkv "=") "k" }}`:             "v",
		`{{ split "," "k=v,w" | splitkv "=" | joinkv ":" | join " " }}`: "k:v w:true",
		`{{ "  x " | trim | upper | lower | capitalize }}`:              "X",
		`{{ "abc" | replace "b" "-" }}{{ substr "1:2" "abc" }}`:         "a-cb",
		`{{ match "a*" "abc" }}{{ range seq 3 }}{{ . }}{{ end }}`:       "true012",
		`{{ indent "  " "a" }}`:                                         "  a",
		`{{ print "a" 1 }}{{ println }}{{ html "<" }}{{ js "'" }}`:      "a1\n&lt;\\'",
		`{{ urlquery "a b" }}{{ printf "%-3s|%03d|%5.1f" "a" 1 2.0 }}`:  "a+ba  |001|  2.0",
		"a\n\n \n\nb":              "a\n\nb",
		"{{ .APP \\}}\n{{ .APP }}": "foofoo",
		`$host {{ "$uri" }}`:       "$host $uri",
	} {
		if got, err := expandSigil(in, sample()); err != nil || got != want {
			t.Errorf("%s: got %q, %v; want %q", in, got, err, want)
		}
	}
	const grow, large = `{{ range seq 27 }}{{ $x = `, `{{ $x := "a" }}{{ range seq 17 }}{{ $x = print $x $x }}{{ end }}` // 128 KiB
	for in, want := range map[string]string{
		`{{ $x := "aaaa" }}` + grow + `print $x $x }}{{ end }}`:                                          "it makes more than",
		`{{ $x := "aaaa" }}` + grow + `println $x $x }}{{ end }}`:                                        "it makes more than",
		`{{ $x := "aaaa" }}` + grow + `html $x $x }}{{ end }}`:                                           "it makes more than",
		`{{ $x := "aaaa" }}` + grow + `js $x $x }}{{ end }}`:                                             "it makes more than",
		`{{ $x := "aaaa" }}` + grow + `urlquery $x $x }}{{ end }}`:                                       "it makes more than",
		large + grow + `indent $x $x }}{{ end }}`:                                                        "it makes more than",
		large + `{{ $l := seq 1 }}{{ range seq 9999 }}{{ $l = append $x $l }}{{ end }}`:                  "it makes more than",
		large + `{{ split "," "a,b,c,d,e,f,g,h,i,j" | splitkv "=" | joinkv $x }}`:                        "it makes more than",
		large + `{{ define "a" }}{{ $y := print . }}{{ template "a" $y }}{{ end }}{{ template "a" $x }}`: "its functions make more than",
		`{{ printf "%1000000d" 1 }}`:                                                                     "a width of more than 999",
		`{{ printf "%.1000000f" 1.0 }}`:                                                                  "a width of more than 999",
		`{{ printf "%99999999999999999999d" 1 }}`:                                                        "a width of more than 999",
		`{{ printf "%*d" 1000000 1 }}`:                                                                   "it takes a width from an argument",
		`{{ printf "%[2]*[1]d" 1 1000000 }}`:                                                             "it takes a width from an argument",
		`{{ printf "%999s" (seq 9999) }}`:                                                                "it makes more than",
		"\n{{ .APP } }}":                                                                                 "nginx.conf.sigil:2:",
		`{{ sh "id" }}`:                                                                                  `function "sh" not defined`,
		`{{ file "/etc/passwd" }}`:                                                                       `function "file" not defined`,
		`{{ var "BAD" }}`:                                                                                "has a semicolon",
		`{{ seq 100000000 }}`:                                                                            "is no number up to",
		`{{ $x := "` + strings.Repeat("a", 5000) + `" }}{{ $x | replace "a" $x }}`:                       "it makes more than",
		`{{ $x := "` + strings.Repeat("a", 5000) + `" }}{{ printf "` + strings.Repeat("%[1]s", 5000) + `" $x }}`:                                                       "it makes more than",
		`{{ define "a" }}{{ if . }}{{ template "a" (slice . 1) }}{{ template "a" (slice . 1) }}{{ end }}{{ end }}{{ template "a" "` + strings.Repeat("a", 99) + `" }}`: "it does not end",
		`{{ $l := seq 9999 }}` + strings.Repeat(`{{ range $l }}`, 4) + strings.Repeat(`{{ end }}`, 4):                                                                  "it does not end",
		`{{ substr "2:9" "abc" }}`:                                      "there is no part",
		`{{ define "a" }}{{ template "a" }}{{ end }}{{ template "a" }}`: "exceeded maximum template depth",
		`{{ range seq 9999 }}` + strings.Repeat("x", 200) + `{{ end }}`: "it makes more than 1024 KiB",
	} {
		if got, err := expandSigil(in, sample()); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: got %q, %v; want %q", in, got, err, want)
		}
	}
}

// TestExpandShell has what a shell made of a text in double quotes, without its commands.
func TestExpandShell(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		`http://$APP; $APP-5000 ${APP}_x`:      "http://foo; foo-5000 foo_x",
		`Host \$http_host; \\ \" \n`:           `Host $http_host; \ " \n`,
		`location ~ \.php$ { Connection "up";`: `location ~ \.php$ { Connection "up";`,
		"a$MINE\n\nb\n":                        "ab a b\n\nb\n",
		`$`:                                    "$",
	} {
		if got, err := expandShell(in, sample()); err != nil || got != want {
			t.Errorf("%s: got %q, %v; want %q", in, got, err, want)
		}
	}
	for in, want := range map[string]string{
		"a\n$host":                      `line 2: there is no variable $host; write \$host where it is nginx' own`,
		"$(id)":                         `line 1: it has a command, "$(id)": none is run`,
		"x `id`":                        "none is run",
		"${APP:-x}":                     `cannot read "${APP:-x}": give ${NAME}`,
		"$BAD":                          "has a semicolon",
		strings.Repeat("$APP\n", 1<<20): "it makes more than 1024 KiB",
	} {
		if got, err := expandShell(in, sample()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.20s: got %.40q, %v; want %q", in, got, err, want)
		}
	}
}

// FuzzExpand looks for a template that brings the program down.
func FuzzExpand(f *testing.F) {
	f.Add(`{{ range $x := .PROXY_PORT_MAP | split " " }}{{ index (split ":" $x) 1 }}{{ end }}`)
	f.Add("$APP \\$x ${APP} `")
	f.Fuzz(func(t *testing.T, text string) {
		_, _ = expandSigil(text, sample())
		_, _ = expandShell(text, sample())
	})
}

// TestSwitched sends requests to the side that answers, as far as nginx can do that by a variable.
func TestSwitched(t *testing.T) {
	t.Parallel()
	s := &site{app: app.App{Name: "foo", Root: "/home/dokku"}, s: settings.Settings{Env: []string{"DOKKU_LIB_ROOT=/lib"}}}
	for _, c := range []struct {
		what, in string
		with     []string
		without  []string
	}{
		{"as a whole", "server {\n  location / { proxy_pass http://foo-5000; }\n}\nupstream foo-5000 {\n  server 1.2.3.4:1;\n}\n",
			[]string{"server {\n  # Which", "set $dokku_upstream foo;", "proxy_pass http://$dokku_upstream;"}, []string{"\nupstream", "foo-5000"}},
		{"by a path", "upstream foo-5000 {\n server 1.2.3.4:1;\n}\nserver {\n location /a/ { proxy_pass http://foo-5000/; }\n}\n",
			[]string{"upstream foo-5000_now {\n server 1.2.3.4:1;\n}", "proxy_pass http://foo-5000_now/;"}, []string{"dokku_upstream"}},
		{"two servers", "server {\n location / { proxy_pass http://foo; }\n}\nserver {\n location / { proxy_pass http://foo; }\n}\n", []string{"set $dokku_upstream foo;"}, nil},
		{"no block", "server { location / { proxy_pass http://foo/x; } }", []string{"upstream foo_now {\n  server 127.0.0.1:7;\n}\n", "http://foo_now/x;"}, []string{"foo/x"}},
		{"grpc", "server { location / { grpc_pass grpc://foo-5000; } }", []string{"upstream foo-5000_now", "grpc://foo-5000_now;"}, nil},
		{"variable", "server {\n set $up http://foo;\n location / { proxy_pass $up; }\n}", []string{"set $up http://foo_now;"}, nil},
		{"like its name", "server { location / { proxy_pass http://foo-bar; } }", []string{"http://foo-bar;"}, []string{"_now", "dokku_upstream"}},
		{"not at home", "server { return 301 https://foo/x; }", []string{"https://foo/x"}, []string{"_now"}},
		{"cache", "server {\n open_file_cache max=9;\n location / { proxy_pass http://foo; }\n}", []string{"set $dokku_upstream foo;"}, []string{"open_file_cache off"}},
	} {
		if c.what == "by a path" { // and a guard where there is the directory for it
			run := t.TempDir()
			s = &site{app: s.app, s: settings.Settings{Env: []string{"DOKKU_LIB_ROOT=/lib", settings.RunRoot + "=" + run}}}
			if err := os.Mkdir(run+"/ready", 0o755); err != nil {
				t.Fatal(err)
			}
			c.with = append(c.with, "if (!-f "+run+"/ready/foo) {\n    return 502;")
		}
		got := s.switched(c.in, []string{"foo", "foo-5000"}, []string{"127.0.0.1:7"})
		if n := strings.Count(got, "set $dokku_upstream foo;"); c.what != "cache" && strings.Count(got, "open_file_cache off") < n {
			t.Errorf("%s: nginx may keep what it knows of the files\n%s", c.what, got)
		}
		for _, want := range c.with {
			if !strings.Contains(got, want) {
				t.Errorf("%s: no %q in\n%s", c.what, want, got)
			}
		}
		for _, no := range c.without {
			if strings.Contains(got, no) {
				t.Errorf("%s: %q in\n%s", c.what, no, got)
			}
		}
	}
}

// TestTextFrom makes the text of both kinds of templates, with and without a certificate.
func TestTextFrom(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	a := app.App{Name: "foo", Root: root}
	if err := os.Mkdir(a.Dir(), 0o755); err != nil {
		t.Fatal(err)
	}
	env := []string{"DOKKU_ROOT=" + root, "DOKKU_LIB_ROOT=" + root + "/lib"}
	s := &site{app: a, s: settings.Settings{Env: env}, c: &plug.C{Call: &pluginhook.Call{Env: env}}}
	cert := &pair{crt: "/c/server.crt", key: "/c/server.key", names: []string{"one.test", "two.test"}}
	at := ports{http: []string{"80"}, https: []string{"443"}, container: 3000}
	shell := &custom{text: "server {\n listen 443 ssl spdy;\n server_name $SSL_SERVER_NAME; # $NOSSL_SERVER_NAME\n$SSL_DIRECTIVES\n location / { proxy_pass http://$APP; }\n}\n", from: "t", shell: true}
	got, err := s.textFrom(shell, []string{"one.test", "plain.test", "two.test"}, cert, at, []string{"127.0.0.1:1"})
	if err != nil || strings.Count(got, "ssl_certificate     /c/server.crt;") != 2 || !strings.Contains(got, "server_name two.test;") || !strings.Contains(got, "# one.test plain.test\n") ||
		!strings.Contains(got, "listen 443 ssl http2;") {
		t.Errorf("%v: got\n%s", err, got)
	}
	sigil := &custom{text: "server { {{ .PROXY_PORT_MAP }} {{ .SSL_INUSE }} {{ .APP_SSL_PATH }} }\n upstream foo-{{ .PROXY_UPSTREAM_PORTS }} { {{ .DOKKU_APP_WEB_LISTENERS }} }\n grpc_pass foo-3000;", from: "t"}
	addresses := []string{"127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3", "127.0.0.1:4", "127.0.0.1:5", "127.0.0.1:6", "127.0.0.1:7", "127.0.0.1:8", "127.0.0.1:9", "127.0.0.1:10"}
	got, err = s.textFrom(sigil, []string{"one.test"}, cert, at, addresses)
	if err != nil || !strings.Contains(got, "http:80:3000 https:443:3000 true /c }") || !strings.Contains(got, "foo-3000_now { "+strings.Join(addresses, " ")+" }") {
		t.Errorf("%v: got\n%s", err, got)
	}
}

// TestCustom finds templates in labels, and in the app's directory first.
func TestCustom(t *testing.T) {
	t.Parallel()
	kept := map[string]string{dockerapi.LabelTemplate: base64.StdEncoding.EncodeToString([]byte("old"))}
	if got, err := customOf(kept); err != nil || *got != (custom{text: "old", from: "nginx.conf.template", shell: true}) {
		t.Errorf("got %+v, %v", got, err)
	}
	kept[dockerapi.LabelSigil] = base64.StdEncoding.EncodeToString([]byte("new"))
	if got, err := customOf(kept); err != nil || *got != (custom{text: "new", from: "nginx.conf.sigil"}) {
		t.Errorf("got %+v, %v", got, err)
	}
	if got, err := customOf(map[string]string{dockerapi.LabelSigil: ""}); got != nil || err != nil {
		t.Errorf("got %+v, %v", got, err)
	}
	if _, err := customOf(map[string]string{dockerapi.LabelSigil: "%"}); err == nil {
		t.Error("a label that is no base64 is an error")
	}
	a := app.App{Name: "foo", Root: t.TempDir()}
	if err := os.Mkdir(a.Dir(), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, a.Path("nginx.conf.template"), "mine")
	got, err := (&site{app: a}).template(context.Background())
	if err != nil || *got != (custom{text: "mine", from: "nginx.conf.template", shell: true}) {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestOtherNames(t *testing.T) {
	t.Parallel()
	got := otherNames("server_name a.test B.test _;\n server_name ~^x$ 'c.test';", []string{"a.test"})
	if strings.Join(got, " ") != "b.test c.test" {
		t.Errorf("got %q", got)
	}
}

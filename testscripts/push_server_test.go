package testscripts

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
)

// serverSource is an app from scratch that answers with the content of its file version, and crashes when that says so,
// at once or when it is started a second time. /download takes as many seconds as it is asked for, /echo is a websocket
// that says the version and what it was sent.
const serverSource = `package main

import (
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

func main() {
	version, _ := os.ReadFile("/version")
	if strings.HasPrefix(string(version), "crash") {
		os.Exit(3)
	}
	if strings.HasPrefix(string(version), "once") {
		if _, err := os.Stat("/started"); err == nil {
			os.Exit(4)
		}
		os.WriteFile("/started", nil, 0o644)
	}
	http.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { w.Write(version) })
	http.HandleFunc("/download", download)
	http.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) { echo(w, r, version) })
	panic(http.ListenAndServe(":"+os.Getenv("PORT"), nil))
}

func download(w http.ResponseWriter, r *http.Request) {
	seconds, _ := strconv.Atoi(r.URL.Query().Get("seconds"))
	w.Header().Set("Content-Length", strconv.Itoa(seconds*100000))
	for i := 0; i < seconds*10; i++ {
		time.Sleep(100 * time.Millisecond)
		w.Write(bytes.Repeat([]byte("x"), 10000))
		w.(http.Flusher).Flush()
	}
}

// echo speaks as much of RFC 6455 as short messages need.
func echo(w http.ResponseWriter, r *http.Request, version []byte) {
	sum := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	conn, buf, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "+
		base64.StdEncoding.EncodeToString(sum[:])+"\r\n\r\n")
	for {
		head := make([]byte, 6) // kind, length below 126, mask
		if _, err := io.ReadFull(buf, head); err != nil {
			return
		}
		text := make([]byte, head[1]&0x7f)
		if _, err := io.ReadFull(buf, text); err != nil {
			return
		}
		for i := range text {
			text[i] ^= head[2+i%4]
		}
		answer := text
		if head[0]&0x0f == 1 {
			answer = append(append([]byte(nil), version...), append([]byte(": "), text...)...)
		}
		conn.Write(append([]byte{head[0], byte(len(answer))}, answer...))
		if head[0]&0x0f == 8 {
			return
		}
	}
}
`

// builtServer is the app's program, built once.
var builtServer = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "dokku-server-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	for name, text := range map[string]string{"main.go": serverSource, "go.mod": "module example.com/server\n\ngo 1.21\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return nil, err
		}
	}
	build := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", "server", ".")
	build.Dir, build.Env = dir, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("cannot build the app: %v\n%s", err, out)
	}
	return os.ReadFile(filepath.Join(dir, "server"))
})

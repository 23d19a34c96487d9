package buildlog

import (
	"bytes"
	"fmt"
	"io"
	"strings"
)

// Printer prints records as lines. Steps are numbered in the order in which they begin, and since several may run at
// the same time each line says whose it is:
//
//	#1 [1/2] FROM docker.io/dokku/stack
//	#1 CACHED
//	#2 [2/2] RUN make
//	#2 cc -o server server.c
//	#2 DONE 1.4s
type Printer struct {
	out   io.Writer
	steps map[string]*step
	count int
	last  *step // whose line was printed last
	fault *step
}

// step is what is known of a vertex.
type step struct {
	name   string
	number int      // 0: nothing is printed of it
	begun  bool     // its name has been printed
	ended  bool     // so has its end
	rest   []byte   // the begin of a line that is not whole yet
	tail   []string // its last lines
	error  string
}

// Bounds of what is kept of a step's output.
const (
	maxLine = 16 << 10
	maxTail = 10
)

// NewPrinter returns a printer on out.
func NewPrinter(out io.Writer) *Printer { return &Printer{out: out, steps: map[string]*step{}} }

// Print prints a record.
func (p *Printer) Print(record []byte) error {
	s, err := Decode(record)
	if err != nil {
		return err
	}
	var text bytes.Buffer
	for _, v := range s.Steps {
		if v.Completed.IsZero() {
			p.begin(&text, v)
		}
	}
	for _, l := range s.Logs {
		if st := p.steps[l.Vertex]; st != nil {
			p.log(&text, st, l.Text)
		}
	}
	for _, v := range s.Steps {
		if !v.Completed.IsZero() {
			p.begin(&text, v)
			p.end(&text, v)
		}
	}
	if text.Len() == 0 {
		return nil
	}
	_, err = p.out.Write(text.Bytes())
	return err
}

// internal tells whether a step is BuildKit's own: those before the Dockerfile is read, and the making of the image.
func internal(name string) bool {
	return strings.HasPrefix(name, "[internal]") || strings.HasPrefix(name, "copy /context") ||
		strings.HasPrefix(name, "exporting to ")
}

func (p *Printer) step(v Vertex) *step {
	st := p.steps[v.Digest]
	if st == nil {
		st = &step{name: printable(v.Name)}
		p.steps[v.Digest] = st
	}
	return st
}

func (p *Printer) begin(out *bytes.Buffer, v Vertex) {
	st := p.step(v)
	if v.Started.IsZero() && v.Error == "" || st.begun || internal(v.Name) && v.Error == "" {
		return
	}
	st.begun = true
	if p.count++; st.number == 0 {
		st.number = p.count
	}
	p.line(out, st, st.name)
}

func (p *Printer) end(out *bytes.Buffer, v Vertex) {
	st := p.steps[v.Digest]
	if st == nil || st.ended {
		return
	}
	if st.error = v.Error; v.Error != "" && !canceled(v.Error) && p.fault == nil {
		p.fault = st
	}
	if !st.begun {
		return
	}
	st.ended = true
	if len(st.rest) > 0 {
		p.log(out, st, []byte("\n"))
	}
	switch {
	case canceled(v.Error):
		p.line(out, st, "CANCELED")
	case v.Error != "":
		p.line(out, st, "ERROR: "+printable(v.Error))
	case v.Cached:
		p.line(out, st, "CACHED")
	default:
		p.line(out, st, fmt.Sprintf("DONE %.1fs", max(0, v.Completed.Sub(v.Started).Seconds())))
	}
}

// canceled tells whether a step ended only because another one failed.
func canceled(text string) bool { return strings.HasSuffix(text, "context canceled") }

// log prints the whole lines of what a step has printed so far.
func (p *Printer) log(out *bytes.Buffer, st *step, text []byte) {
	st.rest = append(st.rest, text...)
	for {
		i := bytes.IndexByte(st.rest, '\n')
		if i < 0 {
			if len(st.rest) < maxLine {
				return
			}
			i = maxLine - 1
		}
		line := strings.TrimSuffix(string(st.rest[:i]), "\r")
		if st.rest[i] == '\n' {
			i++
		}
		st.rest = st.rest[i:]
		// A bar of progress writes over itself; what it says last is what counts.
		line = line[strings.LastIndexByte(line, '\r')+1:]
		if st.tail = append(st.tail, line); len(st.tail) > maxTail {
			st.tail = st.tail[1:]
		}
		if st.begun {
			p.line(out, st, line)
		}
	}
}

func (p *Printer) line(out *bytes.Buffer, st *step, text string) {
	fmt.Fprintf(out, "#%d %s\n", st.number, text)
	p.last = st
}

// printable is text as one line.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' {
			return ' '
		}
		return r
	}, text)
}

// Failed returns the name of the step that failed, and its error; "" when none did. What it said last is printed again
// if others have printed something since.
func (p *Printer) Failed() (name, text string, err error) {
	if p.fault == nil {
		return "", "", nil
	}
	if p.last != p.fault && len(p.fault.tail) > 0 {
		var again bytes.Buffer
		p.line(&again, p.fault, "failed, and said last:")
		for _, line := range p.fault.tail {
			p.line(&again, p.fault, line)
		}
		_, err = p.out.Write(again.Bytes())
	}
	return p.fault.name, p.fault.error, err
}

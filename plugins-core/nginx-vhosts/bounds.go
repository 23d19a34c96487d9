package nginxvhosts

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"text/template"
	"time"
)

// Bounds of what a template may make, so that one that goes on and on ends as an error.
const (
	maxText = 1 << 20      // what it comes to, and what one function makes
	maxMade = 64 * maxText // what all functions make, as a template may keep each of their texts
	maxSeq  = 10000        // how far it may count
	maxTime = 5 * time.Second
)

// fits refuses what a function would make when that is too much.
func fits(size int) error {
	if size > maxText {
		return fmt.Errorf("it makes more than %d KiB", maxText>>10)
	}
	return nil
}

// counted has every function add to what all of them make. Which values it takes stays the function's to say, so each
// has the type that it had; it can only panic, which is an error to the template.
func counted(functions template.FuncMap) template.FuncMap {
	made := 0
	for name, f := range functions {
		f := reflect.ValueOf(f)
		call := f.Call
		if f.Type().IsVariadic() {
			call = f.CallSlice
		}
		functions[name] = reflect.MakeFunc(f.Type(), func(args []reflect.Value) []reflect.Value {
			out := call(args)
			switch out[0].Kind() {
			case reflect.String:
				made += out[0].Len()
			case reflect.Slice, reflect.Map: // of words that have been counted
				made += out[0].Len() * int(reflect.TypeFor[string]().Size())
			}
			if made > maxMade {
				panic(fmt.Errorf("its functions make more than %d KiB", maxMade>>10))
			}
			return out
		}).Interface()
	}
	return functions
}

// printer is a function that prints its arguments, of which no byte may become more than so many.
func printer(growth int, print func(...any) string) any {
	return func(args ...any) (string, error) {
		size := 0
		for _, arg := range args {
			size += growth * (len(str(arg)) + 1)
		}
		if err := fits(size); err != nil {
			return "", err
		}
		return print(args...), nil
	}
}

// printf makes of each argument what the format says: that many characters of each of its words, or six of a byte, and
// no number is longer than a thousand.
func printf(format string, args ...any) (string, error) {
	widest, longest := 0, 0
	specs := regexp.MustCompile(`%[-+# 0-9.*\[\]]*`).FindAllString(format, -1)
	for _, spec := range specs {
		if strings.Contains(spec, "*") {
			return "", fmt.Errorf("it takes a width from an argument: %q", format)
		}
		for _, number := range strings.FieldsFunc(spec, func(r rune) bool { return r < '0' || r > '9' }) {
			width, err := strconv.Atoi(number)
			if err != nil || width > 999 {
				return "", errors.New("it prints with a width of more than 999")
			}
			widest = max(widest, width)
		}
	}
	for _, arg := range args {
		longest = max(longest, len(str(arg))+1)
	}
	if err := fits(len(format) + len(specs)*((widest+6)*longest+1000)); err != nil {
		return "", err
	}
	return fmt.Sprintf(format, args...), nil
}

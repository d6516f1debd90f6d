// Judges histories with Porcupine: `judge SECONDS FILE ...`, files as `killpoint convert --to porcupine` writes them.
//
// Prints a line for each: Ok, Illegal or Unknown, the CPU seconds of the check alone, and the peak of the process in megabytes.
//
//	cd benchmarks/porcupine && go mod init judge && go get github.com/anishathalye/porcupine && go build -o judge .
package main

import (
	"bufio"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"syscall"
	"time"

	"github.com/anishathalye/porcupine"
)

type call struct {
	function, key, value string
	expected             string // of a compare-and-set
}

type answer struct {
	value   string
	done    bool // of a compare-and-set
	unknown bool // nobody saw the operation end
}

var (
	register = regexp.MustCompile(`^INFO\s+jepsen\.util - (\d+)\s+:(\w+)\s+:(read|write|cas)\s+(?:\[(\S+) (\S+)\]|(\S+))`)
	store    = regexp.MustCompile(`^\{:process (\d+), :type :(\w+), :f :(\w+), :key "(.*?)", :value (?:"(.*)"|nil)\}$`)
)

var registers = porcupine.Model{
	Init: func() interface{} { return "nil" },
	Step: func(state, input, output interface{}) (bool, interface{}) {
		held, asked, told := state.(string), input.(call), output.(answer)
		switch asked.function {
		case "write":
			return true, asked.value
		case "read":
			return told.unknown || held == told.value, held
		}
		if held == asked.expected {
			return told.unknown || told.done, asked.value
		}
		return told.unknown || !told.done, held
	},
}

var stores = porcupine.Model{
	PartitionEvent: func(history []porcupine.Event) [][]porcupine.Event {
		places, keys := map[string]int{}, map[int]string{}
		parts := [][]porcupine.Event{}
		for _, event := range history {
			if event.Kind == porcupine.CallEvent {
				keys[event.Id] = event.Value.(call).key
			}
			place, known := places[keys[event.Id]]
			if !known {
				place = len(parts)
				places[keys[event.Id]] = place
				parts = append(parts, nil)
			}
			parts[place] = append(parts[place], event)
		}
		return parts
	},
	Init: func() interface{} { return "" },
	Step: func(state, input, output interface{}) (bool, interface{}) {
		held, asked, told := state.(string), input.(call), output.(answer)
		switch asked.function {
		case "put":
			return true, asked.value
		case "append":
			return true, held + asked.value
		}
		return told.unknown || held == told.value, held
	},
}

func read(path string) ([]porcupine.Event, porcupine.Model) {
	file, err := os.Open(path)
	if err != nil {
		fail(err)
	}
	defer file.Close()
	events, model := []porcupine.Event{}, registers
	open, asked := map[string]int{}, map[string]call{}
	begun := 0
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var process, kind string
		var what call
		if found := register.FindStringSubmatch(lines.Text()); found != nil {
			process, kind = found[1], found[2]
			what = call{function: found[3], expected: found[4], value: found[5] + found[6]}
		} else if found := store.FindStringSubmatch(lines.Text()); found != nil {
			model = stores
			process, kind = found[1], found[2]
			what = call{function: found[3], key: found[4], value: found[5]}
		} else {
			continue
		}
		if kind == "invoke" {
			open[process], asked[process] = begun, what
			events = append(events, porcupine.Event{Kind: porcupine.CallEvent, Value: what, Id: begun})
			begun++
		} else if kind == "ok" || kind == "fail" {
			told := answer{value: what.value, done: kind == "ok"}
			events = append(events, porcupine.Event{Kind: porcupine.ReturnEvent, Value: told, Id: open[process]})
			delete(open, process)
		}
	}
	if err := lines.Err(); err != nil {
		fail(err)
	}
	for _, number := range open {
		events = append(events, porcupine.Event{Kind: porcupine.ReturnEvent, Value: answer{unknown: true}, Id: number})
	}
	return events, model
}

func spent() (float64, int64) {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		fail(err)
	}
	micro := usage.Utime.Usec + usage.Stime.Usec
	return float64(usage.Utime.Sec+usage.Stime.Sec) + float64(micro)/1e6, usage.Maxrss
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(3)
}

func main() {
	if len(os.Args) < 3 {
		fail(fmt.Errorf("judge SECONDS FILE ..."))
	}
	seconds, err := strconv.ParseFloat(os.Args[1], 64)
	if err != nil {
		fail(err)
	}
	for _, path := range os.Args[2:] {
		events, model := read(path)
		before, _ := spent()
		verdict := porcupine.CheckEventsTimeout(model, events, time.Duration(seconds*1e9))
		after, peak := spent()
		fmt.Printf("%s %.6f %d\n", verdict, after-before, peak/1024)
	}
}

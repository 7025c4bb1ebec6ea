package main

import (
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// cost is what a piece of work took.
type cost struct {
	wall time.Duration
	cpu  time.Duration
}

// measure runs work and takes the CPU time of this process around it.
func measure(work func() error) (cost, error) {
	before, start := ownCPU(), time.Now()
	err := work()
	return cost{time.Since(start), ownCPU() - before}, err
}

func ownCPU() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func median(costs []cost) cost {
	walls, cpus := make([]time.Duration, len(costs)), make([]time.Duration, len(costs))
	for i, c := range costs {
		walls[i], cpus[i] = c.wall, c.cpu
	}
	slices.Sort(walls)
	slices.Sort(cpus)
	return cost{walls[len(walls)/2], cpus[len(cpus)/2]}
}

// treeCPU is the CPU time that a process, its living children and those it has
// waited for have used.
func treeCPU(pid int) time.Duration {
	const tick = 10 * time.Millisecond // USER_HZ is 100 on every Linux of today
	var ticks int64
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return 0
	}
	for _, e := range entries {
		other, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		fields := statFields(other)
		if fields == nil || (other != pid && fields[1] != strconv.Itoa(pid)) {
			continue
		}
		use := []int{11, 12}
		if other == pid {
			use = []int{11, 12, 13, 14}
		}
		for _, i := range use {
			n, _ := strconv.ParseInt(fields[i], 10, 64)
			ticks += n
		}
	}
	return time.Duration(ticks) * tick
}

// statFields are the fields of /proc/PID/stat after the name: 0 is the state,
// 1 the parent, 11 and 12 user and system ticks, 13 and 14 those of children.
func statFields(pid int) []string {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil
	}
	text := string(stat)
	return strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
}

// residentBytes is the resident memory of one process.
func residentBytes(pid int) int64 { return memoryOf(pid, "VmRSS:") }

// memoryOf is a line of the process's status, in bytes.
func memoryOf(pid int, name string) int64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, name); ok {
			kb, _ := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			return kb * 1024
		}
	}
	return 0
}

// loadAverage is how many processes wanted a processor during the last minute:
// figures of wall time mean little where others worked too.
func loadAverage() float64 {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return math.NaN()
	}
	first, _, _ := strings.Cut(string(text), " ")
	load, err := strconv.ParseFloat(first, 64)
	if err != nil {
		return math.NaN()
	}
	return load
}

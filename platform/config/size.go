package config

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// Size is a number of bytes. It reads as "512MB", "2GiB" or plain bytes.
type Size int64

var sizeUnits = []struct {
	suffix string
	factor float64
}{
	{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40},
	{"kB", 1e3}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}, {"B", 1},
}

// UnmarshalText reads a size.
func (s *Size) UnmarshalText(text []byte) error {
	number, factor := strings.TrimSpace(string(text)), 1.0
	for _, unit := range sizeUnits {
		if rest, ok := strings.CutSuffix(number, unit.suffix); ok {
			number, factor = strings.TrimSpace(rest), unit.factor
			break
		}
	}
	value, err := strconv.ParseFloat(number, 64)
	if err != nil || !(value >= 0 && value*factor < 1<<62) { // so written, NaN is refused too
		return fmt.Errorf("%q is not a size such as 512MB or 2GiB", text)
	}
	*s = Size(value * factor)
	return nil
}

// String shows the largest unit that keeps the figure readable.
func (s Size) String() string {
	switch {
	case s >= 1e9:
		return strconv.FormatFloat(float64(s)/1e9, 'f', 1, 64) + " GB"
	case s >= 1e6:
		return strconv.FormatFloat(float64(s)/1e6, 'f', 1, 64) + " MB"
	}
	return strconv.FormatInt(int64(s), 10) + " B"
}

// MarshalText writes what String shows.
func (s Size) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// machineMemory is what this process may use: the machine's memory, or less
// where a control group says so.
func machineMemory() Size {
	total := memTotal()
	for _, path := range []string{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"} {
		text, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		limit, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
		if err == nil && limit > 0 && (total == 0 || Size(limit) < total) {
			total = Size(limit)
		}
	}
	if total == 0 {
		total = 2 << 30
	}
	return total
}

func memTotal() Size {
	file, err := os.Open("/proc/meminfo")
	if err != nil {
		return 0
	}
	defer func() { _ = file.Close() }()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		var kib int64
		if _, err := fmt.Sscanf(lines.Text(), "MemTotal: %d kB", &kib); err == nil {
			return Size(kib << 10)
		}
	}
	return 0
}

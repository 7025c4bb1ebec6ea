package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
)

func TestScratch(t *testing.T) {
	text, _ := os.ReadFile("/tmp/scratch.sql")
	d, err := openDuck(context.Background())
	if err != nil { t.Fatal(err) }
	parts := strings.Split(strings.TrimSpace(string(text)), ";\n")
	var setup []string
	costs := map[string][]cost{}
	for i := range 12 {
		for _, q := range parts {
			q = strings.TrimSpace(q)
			if strings.HasPrefix(q, "SET") { if i == 0 { setup = append(setup, q); if _, err := d.conn.ExecContext(context.Background(), q); err != nil { t.Fatal(err) } }; continue }
			c, err := measure(func() error { return d.run(context.Background(), q) })
			if err != nil { t.Fatal(q, err) }
			if i > 1 { costs[q] = append(costs[q], c) }
		}
	}
	for _, q := range parts {
		q = strings.TrimSpace(q)
		if c := costs[q]; c != nil { m := median(c); fmt.Printf("cpu %7.2f wall %7.2f  %s\n", ms(m.cpu), ms(m.wall), q[:min(len(q),150)]) }
	}
}

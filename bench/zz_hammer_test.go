package main

import (
	"context"
	"fmt"
	"os/exec"
	"os"
	"strings"
	"testing"
)

func TestHammer(t *testing.T) {
	pid, _ := os.ReadFile("/tmp/pp.pid")
	p := 0
	fmt.Sscan(string(pid), &p)
	proc, _ := os.FindProcess(p)
	s := &server{url: "http://127.0.0.1:18099", dataDir: "/tmp/bench-c/demo", cmd: &exec.Cmd{Process: proc}}
	client, err := signIn(s, s.dataDir)
	if err != nil { t.Fatal(err) }
	page, widget, err := findPage(client, s.url)
	if err != nil { t.Fatal(err) }
	what := page
	if os.Getenv("WIDGET") != "" { what = widget }
	go func() { exec.Command("kill", "-USR1", strings.TrimSpace(string(pid))).Run() }()
	r, err := hammer(context.Background(), &options{seconds: 8}, client, s, what, 16)
	if err != nil { t.Fatal(err) }
	fmt.Printf("rate %.0f p50 %v server %v pg %v gen %v\n", r.rate, r.p50, r.server, r.postgres, r.generator)
}

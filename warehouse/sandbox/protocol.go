package sandbox

import (
	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/warehouse/ingest"
)

// Command is the subcommand under which a child is started.
const Command = "sandbox"

var (
	// ErrUnavailable covers a kernel that cannot wall a child off.
	ErrUnavailable = apperr.Define(apperr.Unavailable, "sandbox.unavailable",
		"This machine cannot wall off the reading of uploaded files (Landlock and seccomp are needed), so files are not read. An administrator can allow it all the same.")
	// ErrTimeout covers work that takes longer than its limit.
	ErrTimeout = apperr.Define(apperr.Timeout, "sandbox.timeout",
		"Reading the file took too long and was stopped.")
	// ErrReaderDied covers a child that ended without an answer: out of its
	// memory, or killed by the system.
	ErrReaderDied = apperr.Define(apperr.Unavailable, "ingest.reader_died",
		"The file could not be read: its reader ran out of memory or failed. Nothing was changed.")
)

// request is what a child reads from its standard input.
type request struct {
	Inspect         *ingest.InspectRequest `json:"inspect,omitempty"`
	Load            *ingest.LoadRequest    `json:"load,omitempty"`
	Probe           *Probe                 `json:"probe,omitempty"`
	MemoryLimit     int64                  `json:"memory_limit"`
	CPUSeconds      int64                  `json:"cpu_seconds"`
	MaxOutput       int64                  `json:"max_output"`
	AllowUnconfined bool                   `json:"allow_unconfined,omitempty"`
}

// Probe asks a child to try what it must not be able to do. It proves the
// walls, in tests and when an operator asks for a check.
type Probe struct {
	Read   string `json:"read"`   // granted for reading
	Dir    string `json:"dir"`    // granted for reading and writing
	Action string `json:"action"` // see probe
	Target string `json:"target,omitempty"`
}

// message is one line that a child writes to its standard output.
type message struct {
	Progress   *ingest.Progress   `json:"progress,omitempty"`
	Inspection *ingest.Inspection `json:"inspection,omitempty"`
	Loaded     *ingest.Loaded     `json:"loaded,omitempty"`
	Probed     *string            `json:"probed,omitempty"`
	Error      *failure           `json:"error,omitempty"`
}

// failure is an error on its way to the parent.
type failure struct {
	Code     string `json:"code,omitempty"` // empty for an error without a kind
	Sentence string `json:"sentence,omitempty"`
	Detail   string `json:"detail,omitempty"` // for the log
}

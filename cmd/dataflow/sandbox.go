package main

import (
	"github.com/dataflowhq/dataflow/connectors/files"
	"github.com/dataflowhq/dataflow/warehouse/sandbox"
)

// serveSandbox turns this process into a reader of one uploaded file when it
// was started as one, and does not return then. It comes before everything
// else in main: a child must open nothing before its walls stand.
func serveSandbox() { sandbox.ServeIfChild(files.Open) }

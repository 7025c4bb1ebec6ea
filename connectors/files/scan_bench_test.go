package files_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/dataflowhq/dataflow/connectors/files"
	"github.com/dataflowhq/dataflow/platform/records"
)

func BenchmarkRead(b *testing.B) {
	for name, line := range map[string]string{
		"plain":  "%d,2024-03-01 10:20:30,C%06d,Product model,North,12,404.13,0.0938,false,\n",
		"quoted": "\"%d\",\"2024-03-01 10:20:30\",\"C%06d\",\"Product, model\",\"North\",\"12\",\"404.13\"\n",
	} {
		var text strings.Builder
		text.WriteString(strings.Repeat("name,", strings.Count(line, "\",\"")+strings.Count(line, ",")*(1-strings.Count(name, "quoted"))) + "last\n")
		for i := 0; text.Len() < 64<<20; i++ {
			fmt.Fprintf(&text, line, i, i%1000)
		}
		path := b.TempDir() + "/file"
		if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(text.Len()))
			for b.Loop() {
				source, err := files.Open(b.Context(), path, records.Options{}, records.Limits{})
				if err != nil {
					b.Fatal(err)
				}
				for {
					batch, err := source.Next(b.Context())
					if err != nil {
						break
					}
					batch.Release()
				}
				source.Close()
			}
		})
	}
}

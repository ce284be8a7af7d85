// Decodes dashboards strictly by Grafana's own types: every field must be one that Grafana has, of its type, and the options of
// a panel those of its kind. Prints what is not, and exits with 1. The plugin of ClickHouse is not part of Grafana: its queries
// and data sources are decoded as any other's.
//
//	go run . FILE.json...
package main

import (
	"fmt"
	"os"

	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

// An empty list of errors is returned as an error that says nothing.
func isNone(err error) bool {
	return err == nil || err.Error() == ""
}

func main() {
	plugins.RegisterDefaultPlugins()
	wrong := 0
	for _, file := range os.Args[1:] {
		raw, err := os.ReadFile(file)
		if err == nil {
			read := dashboard.Dashboard{}
			if err = read.UnmarshalJSONStrict(raw); isNone(err) {
				err = read.Validate()
			}
			if isNone(err) {
				fmt.Printf("ok    %s: %d panels\n", file, len(read.Panels))
				continue
			}
		}
		wrong++
		fmt.Printf("wrong %s:\n%s\n", file, err)
	}
	if wrong > 0 || len(os.Args) < 2 {
		os.Exit(1)
	}
}

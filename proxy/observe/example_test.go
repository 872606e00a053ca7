package observe_test

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"weir/proxy/observe"
)

func Example() {
	dir, err := os.MkdirTemp("", "weir")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "access.log")

	metrics := observe.NewMetrics(1, "1.0.0")
	accessLog, err := observe.NewAccessLog(observe.LogConfig{
		Output: path,
		Format: `$context.identity.sourceIp "$context.httpMethod $context.path" $context.status $context.responseLatency`,
	}, 1)
	if err != nil {
		panic(err)
	}
	metrics.WatchLog(accessLog)
	route := metrics.Route("petstore", "prod", "/pets/{id}")

	record := observe.Record{
		Client: netip.MustParseAddr("203.0.113.7"),
		Method: []byte("GET"),
		Path:   []byte("/pets/7"),
		Status: 200,
		Took:   12 * time.Millisecond,
	}
	route.Observe(&record)
	accessLog.Write(&record)
	if err := accessLog.Close(); err != nil {
		panic(err)
	}

	line, err := os.ReadFile(path)
	if err != nil {
		panic(err)
	}
	fmt.Print(string(line))
	text, err := metrics.AppendText(nil)
	if err != nil {
		panic(err)
	}
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "weir_requests_total") || strings.HasPrefix(line, "weir_log_lines") {
			fmt.Print(line)
		}
	}
	// Output:
	// 203.0.113.7 "GET /pets/7" 200 12
	// weir_log_lines_total 1
	// weir_requests_total{api="petstore",class="2xx",method="GET",route="/pets/{id}",stage="prod"} 1
}

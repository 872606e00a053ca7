// Package observe counts what weir does and writes its access log.
//
// The caller fills one [Record] when a request ends and hands it to both sides:
//
//	metrics := observe.NewMetrics(shards, version)
//	accessLog, err := observe.NewAccessLog(observe.LogConfig{Output: "stdout"}, shards)
//	metrics.WatchLog(accessLog)
//
//	route := metrics.Route("petstore", "prod", "/pets/{id}") // when the document is compiled
//
//	route.Observe(&record) // at the end of each request
//	accessLog.Write(&record)
//
// Neither allocates, blocks or waits for a reader: counters are atomic words of
// the connection's shard, merged when somebody scrapes them, and a log line that
// finds its buffer full is dropped and counted. Lines in JSON are zerolog's events,
// whose output is the shard's buffer; other formats are appended part by part.
package observe

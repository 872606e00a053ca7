package route

import (
	"slices"
	"testing"
	"time"
)

// BenchmarkFindRatio is the price of many routes: what a search among 10,000 costs, divided by what it costs among 10.
// The two take turns, a millisecond each, so that whatever else the machine does meets both: ratio-min divides the
// fastest turns, ratio-median is the median of the turns' ratios, and 10-ns and 10000-ns are the fastest turns.
func BenchmarkFindRatio(b *testing.B) {
	f := func(shape benchShape) {
		b.Run(shape.name, func(b *testing.B) {
			few, fewPaths := benchTree(b, 10, shape)
			many, manyPaths := benchTree(b, 10000, shape)
			var fewNs, manyNs, ratios []float64
			for b.Loop() {
				x, y := timeFind(b, few, fewPaths), timeFind(b, many, manyPaths)
				fewNs, manyNs, ratios = append(fewNs, x), append(manyNs, y), append(ratios, y/x)
			}
			slices.Sort(ratios)
			b.ReportMetric(0, "ns/op") // of a turn of each: it tells nothing
			b.ReportMetric(slices.Min(fewNs), "10-ns")
			b.ReportMetric(slices.Min(manyNs), "10000-ns")
			b.ReportMetric(slices.Min(manyNs)/slices.Min(fewNs), "ratio-min")
			b.ReportMetric(ratios[len(ratios)/2], "ratio-median")
		})
	}
	for _, shape := range benchShapes {
		f(shape)
	}
}

// timeFind returns the nanoseconds of a search. It goes through the paths twice and times the second time, when the
// caches hold what they can of this tree and nothing of the one before.
func timeFind(b *testing.B, tree *Tree[int], paths [][]byte) float64 {
	findAll(b, tree, paths)
	begin := time.Now()
	findAll(b, tree, paths)
	return float64(time.Since(begin).Nanoseconds()) / float64(len(paths))
}

func findAll(b *testing.B, tree *Tree[int], paths [][]byte) {
	method := []byte("GET")
	var p Params
	for _, path := range paths {
		if _, outcome := tree.Find(method, path, &p, nil); outcome != Found {
			b.Fatalf("%s: got %s; want found", path, outcome)
		}
	}
}

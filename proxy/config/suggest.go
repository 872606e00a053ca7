package config

import (
	"iter"
	"strings"
)

// Nearest returns the candidate that text is most likely a slip of, or nothing.
// Of equally near ones the first in alphabetical order wins.
func Nearest(text string, candidates iter.Seq[string]) string {
	best, bestDistance := "", 1+max(1, len(text)/3)
	if len(text) < 2 {
		return "" // any other letter would be as near
	}
	for candidate := range candidates {
		distance := slipDistance(text, candidate, bestDistance)
		if distance < bestDistance || distance == bestDistance && best != "" && candidate < best {
			best, bestDistance = candidate, distance
		}
	}
	return best
}

// suggestName is nearest as a suggestion.
func suggestName(text string, candidates iter.Seq[string]) string {
	if name := Nearest(text, candidates); name != "" {
		return didYouMean(name)
	}
	return ""
}

// maxSlipBytes bounds the work; nobody mistypes a longer name by hand.
const maxSlipBytes = 64

// slipDistance counts the letters added, lost, changed or swapped with their
// neighbour between a and b (optimal string alignment); the wrong case is one
// slip altogether. Above limit the count is not exact.
func slipDistance(a, b string, limit int) int {
	if a == b {
		return 0
	}
	if strings.EqualFold(a, b) {
		return 1
	}
	if len(a)-len(b) > limit || len(b)-len(a) > limit || max(len(a), len(b)) > maxSlipBytes {
		return limit + 1
	}
	a, b = strings.ToLower(a), strings.ToLower(b)
	var rows [3][2*maxSlipBytes + 1]int // lower case can be longer
	if len(a) > 2*maxSlipBytes || len(b) > 2*maxSlipBytes {
		return limit + 1
	}
	for j := range len(b) + 1 {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		row, last, before := &rows[i%3], &rows[(i+2)%3], &rows[(i+1)%3]
		row[0] = i
		least := i
		for j := 1; j <= len(b); j++ {
			change := last[j-1]
			if a[i-1] != b[j-1] {
				change++
			}
			row[j] = min(last[j]+1, row[j-1]+1, change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
			least = min(least, row[j])
		}
		// A swap can come from two rows back, hence the 1.
		if least > limit+1 {
			return least
		}
	}
	return rows[len(a)%3][len(b)]
}

// Package front holds what the front ends share, whatever protocol they speak:
// the limits of client connections, where a connection came in, the set of
// open connections and how it drains, and the Date field.
package front

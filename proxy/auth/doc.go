// Package auth tells who calls, and whether they may: one file a kind.
package auth

//go:build !linux

package wire

func splice(dst, src *Sock, most int64) (int64, error) { return 0, ErrNoSplice }

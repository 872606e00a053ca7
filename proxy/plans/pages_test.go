package plans

import (
	"os"
	"path/filepath"
	"testing"
)

func FuzzPages(f *testing.F) {
	o := Options{Directory: f.TempDir()}
	s := openAt(f, o)
	must[Issued](f)(s.CreateKey(NewKey{Name: "one"}))
	s.Close()
	f.Add(must[[]byte](f)(os.ReadFile(filepath.Join(o.Directory, fileName))), uint64(3))
	f.Add(make([]byte, 100), uint64(2))
	f.Fuzz(func(t *testing.T, content []byte, root uint64) {
		for _, size := range []uint64{0, 64, 4096} {
			p := &pages{content, size, make(map[uint64]bool)}
			p.check(root)
		}
	})
}
